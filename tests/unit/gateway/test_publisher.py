import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from hub.domain.decisions import Publication
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import EffectId, Topic
from hub.gateway.publisher import Publisher
from hub.store.scripts import ScriptFailed


class Store:
    """Holds every batch back until it is let through."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        self.down = False
        self.problem: Exception = StoreUnavailable()

    async def publish_many(self, publications: Sequence[Publication]) -> None:
        self.batches.append([publication.id for publication in publications])
        await self.gate.wait()
        if self.down:
            raise self.problem


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def publisher(store: Store) -> AsyncIterator[Publisher]:
    publisher = Publisher(store)
    task = asyncio.create_task(publisher.run())
    yield publisher
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def publication(name: str) -> Publication:
    return Publication(Topic("room:1"), EffectId(name), b"1")


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_comes_while_a_batch_is_on_its_way_makes_the_next(publisher: Publisher, store: Store) -> None:
    first = publisher.publish(publication("a"))
    await turn()
    others = [publisher.publish(publication(name)) for name in "bcd"]
    await turn()
    assert store.batches == [["a"]]
    assert not first.done()
    store.gate.set()
    await asyncio.gather(first, *others)
    assert store.batches == [["a"], ["b", "c", "d"]]


async def test_a_crowd_of_publications_goes_in_several_batches(publisher: Publisher, store: Store) -> None:
    store.gate.set()
    await asyncio.gather(*[publisher.publish(publication(f"{n}")) for n in range(1_100)])
    assert [len(batch) for batch in store.batches] == [500, 500, 100]
    assert [name for batch in store.batches for name in batch] == [f"{n}" for n in range(1_100)]


@pytest.mark.parametrize("problem", [StoreUnavailable(), ScriptFailed("a key holds something else")])
async def test_whoever_published_is_told_that_it_failed_and_the_next_goes_on(
    publisher: Publisher, store: Store, problem: Exception
) -> None:
    store.gate.set()
    store.down, store.problem = True, problem
    with pytest.raises(type(problem)):
        await publisher.publish(publication("a"))
    store.down = False
    await publisher.publish(publication("b"))


async def test_nobody_need_wait_for_the_outcome(publisher: Publisher, store: Store) -> None:
    publisher.publish(publication("a")).cancel()
    store.gate.set()
    await publisher.publish(publication("b"))
    assert store.batches == [["a", "b"]]
