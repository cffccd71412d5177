import gc
from collections.abc import Iterator

import pytest

from hub.roles.collector import Doubling, calm, freeze_old


@pytest.fixture(autouse=True)
def collector_of_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Node:
    def __init__(self) -> None:
        self.itself = self


def test_what_has_grown_old_is_frozen() -> None:
    calm()
    frozen = gc.get_freeze_count()
    kept = [Node() for _ in range(200_000)]
    assert freeze_old()
    assert gc.get_freeze_count() >= frozen + len(kept)
    assert not freeze_old()


def test_nothing_is_frozen_while_nothing_grows() -> None:
    calm()
    frozen = gc.get_freeze_count()
    assert not freeze_old()
    assert gc.get_freeze_count() <= frozen


def test_garbage_among_the_frozen_is_found_once_they_have_doubled() -> None:
    calm()
    doubling = Doubling()
    assert doubling.collect_if_due() is None
    leaked = [Node() for _ in range(2 * gc.get_freeze_count())]
    gc.freeze()
    count = len(leaked)
    leaked.clear()
    found = doubling.collect_if_due()
    assert found is not None
    assert found >= count
    assert doubling.collect_if_due() is None
