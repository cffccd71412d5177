from typing import Any

import pytest

from hub.domain.house_rules import Cap
from hub.domain.ids import UserId
from hub.domain.rulings import Allowance
from hub.store.allowances import Allowances
from hub.store.keys import Keys
from hub.store.scripts import Scripts
from tests.integration.store.conftest import FakeClock

ZOE, BEN = UserId("zoe"), UserId("ben")


@pytest.fixture
def allowances(scripts: Scripts, keys: Keys, clock: FakeClock) -> Allowances:
    return Allowances(scripts, keys, clock=clock)


def allowance(member: str, *caps: Cap, name: str = "marketing") -> Allowance:
    return Allowance(name, member, caps or (Cap(2, 60),), "full")


async def fits(allowances: Allowances, *wanted: Allowance, user: UserId = ZOE) -> bool:
    (full,) = await allowances.take_many([(user, wanted)])
    return full is None


async def test_as_many_fit_as_the_cap_says(allowances: Allowances) -> None:
    assert [await fits(allowances, allowance(each)) for each in ("a", "b", "c")] == [True, True, False]


async def test_what_has_been_counted_has_its_place_again(allowances: Allowances) -> None:
    assert [await fits(allowances, allowance(each)) for each in ("a", "b", "a", "b")] == [True] * 4


async def test_the_window_slides(allowances: Allowances, clock: FakeClock) -> None:
    await fits(allowances, allowance("a"))
    clock.now_ms += 30_000
    await fits(allowances, allowance("b"))
    clock.now_ms += 29_999
    assert not await fits(allowances, allowance("c"))
    clock.now_ms += 1
    assert await fits(allowances, allowance("c"))
    assert not await fits(allowances, allowance("d"))


async def test_every_cap_has_to_have_room(allowances: Allowances, clock: FakeClock) -> None:
    caps = (Cap(1, 60), Cap(2, 3_600))
    taken = []
    for each in ("a", "b", "c"):
        taken.append(await fits(allowances, allowance(each, *caps)))
        clock.now_ms += 60_000
    assert taken == [True, True, False]


async def test_nothing_is_counted_where_one_of_several_has_no_room(allowances: Allowances) -> None:
    narrow, wide = allowance("a", Cap(1, 60), name="narrow"), allowance("a", Cap(1, 60), name="wide")
    await fits(allowances, allowance("other", Cap(1, 60), name="narrow"))
    (full,) = await allowances.take_many([(ZOE, [wide, narrow])])
    assert full == narrow
    assert await fits(allowances, allowance("another", Cap(1, 60), name="wide"))


async def test_people_and_names_are_counted_apart(allowances: Allowances) -> None:
    one = Cap(1, 60)
    assert await fits(allowances, allowance("a", one))
    assert await fits(allowances, allowance("b", one), user=BEN)
    assert await fits(allowances, allowance("b", one, name="throttle:x"))


async def test_counts_are_forgotten_with_their_window(allowances: Allowances, redis: Any, key_prefix: str) -> None:
    await fits(allowances, allowance("a", Cap(1, 60), Cap(2, 120)))
    keys = [key async for key in redis.scan_iter(match=f"{key_prefix}*allowance*")]
    assert len(keys) == 1
    assert 60_000 < await redis.pttl(keys[0]) <= 120_000
