import pytest

from hub.domain.devices import MAX_DEVICES, UNSEEN_MAX_S, Device, Kind, Platform
from hub.domain.ids import UserId
from hub.store.devices import Devices
from hub.store.keys import Keys
from hub.store.scripts import Scripts
from hub.store.server import Server

ZOE, BEN = UserId("zoe"), UserId("ben")
NOW_MS = 1_767_261_600_000


@pytest.fixture
def devices(server: Server, keys: Keys) -> Devices:
    return Devices(server, Scripts(server), keys, clock=lambda: NOW_MS)


def device(number: int, *, seen_ms: int = NOW_MS) -> Device:
    return Device(Kind.FID, f"fid-{number}", Platform.ANDROID, NOW_MS, seen_ms, app="shop 1.2")


async def test_a_device_is_kept_and_seen_again(devices: Devices) -> None:
    assert await devices.put(ZOE, device(1, seen_ms=NOW_MS - 5))
    assert await devices.put(ZOE, device(1))
    assert await devices.of(ZOE) == [device(1)]


async def test_the_newest_comes_first(devices: Devices) -> None:
    for number, age_ms in ((1, 30), (2, 10), (3, 20)):
        await devices.put(ZOE, device(number, seen_ms=NOW_MS - age_ms))
    assert [each.registration for each in await devices.of(ZOE)] == ["fid-2", "fid-3", "fid-1"]


async def test_a_device_belongs_to_who_signed_in_on_it_last(devices: Devices) -> None:
    await devices.put(ZOE, device(1))
    await devices.put(BEN, device(1))
    assert await devices.of_many([ZOE, BEN]) == [[], [device(1)]]


async def test_beyond_the_bound_the_one_not_seen_for_longest_leaves(devices: Devices) -> None:
    for number in range(MAX_DEVICES):
        await devices.put(ZOE, device(number, seen_ms=NOW_MS - MAX_DEVICES + number))
    await devices.put(ZOE, device(99, seen_ms=NOW_MS - 1_000))
    kept = {each.registration for each in await devices.of(ZOE)}
    assert len(kept) == MAX_DEVICES
    assert "fid-99" in kept
    assert "fid-0" not in kept


async def test_a_device_not_seen_for_too_long_is_forgotten(devices: Devices) -> None:
    await devices.put(ZOE, device(1, seen_ms=NOW_MS - UNSEEN_MAX_S * 1_000))
    assert await devices.of(ZOE) == []
    assert await devices.remove(ZOE, [device(1).id]) == 0


async def test_removing_what_is_not_there_says_so(devices: Devices) -> None:
    await devices.put(ZOE, device(1))
    assert await devices.remove(ZOE, [device(2).id]) == 0
    assert await devices.remove(ZOE, []) == 0
    assert await devices.remove(ZOE, [device(1).id]) == 1
