import asyncio
import contextlib
from collections.abc import Sequence

from msgspec import Raw

from hub.domain.errors import StoreUnavailable
from hub.domain.ids import Topic
from hub.domain.topics import Namespace
from hub.gateway.roll_call import RollCall
from hub.gateway.subscriptions import GrantedSubscription, LiveTopic, Subscription
from hub.store.presence import Attendance
from hub.store.scripts import ScriptFailed
from tests.unit.gateway.stream import Client

ROOM = Namespace("room", presence=True, join_leave=True)


class Store:
    """Notes what it is told. While `down` it refuses."""

    def __init__(self) -> None:
        self.down = False
        self.broken = 0
        self.told: list[tuple[str, list[str], list[str]]] = []
        self.infos: list[bytes] = []
        self.changed = asyncio.Event()

    async def change_many(self, attendances: Sequence[Attendance]) -> None:
        await asyncio.sleep(0)
        if self.down:
            raise StoreUnavailable
        if self.broken:
            self.broken -= 1
            raise ScriptFailed("a key holds something else")
        for each in attendances:
            self.told.append((each.topic, [member.client for member in each.there], [*each.left]))
            self.infos += [member.info for member in each.there]
        self.changed.set()

    async def until(self, trips: int) -> None:
        async with asyncio.timeout(5):
            while len(self.told) < trips:
                self.changed.clear()
                await self.changed.wait()


def seated(topic: LiveTopic, name: str) -> Subscription:
    seat = Subscription(Client(name=name), topic, offset=0, server_side=False)
    topic.add(seat)
    return seat


def room(name: str = "room:1", options: Namespace = ROOM) -> LiveTopic:
    return LiveTopic(Topic(name), options)


async def test_who_comes_and_who_leaves_is_told_in_one_trip_for_each_topic() -> None:
    store, first, second = Store(), room(), room("room:2")
    roll = RollCall(store, interval_s=60.0)
    seats = [seated(first, "c1"), seated(first, "c2"), seated(second, "c1")]
    for seat in seats:
        roll.came(seat)
    await roll.tell_changes()
    assert store.told == [("room:1", ["c1", "c2"], []), ("room:2", ["c1"], [])]
    roll.left(seats[0])
    await roll.tell_changes()
    assert store.told[2:] == [("room:1", [], ["c1"])]


async def test_only_the_last_word_about_a_client_is_told() -> None:
    store, topic = Store(), room()
    roll = RollCall(store, interval_s=60.0)
    seat = seated(topic, "c1")
    roll.came(seat)
    roll.left(seat)
    await roll.tell_changes()
    roll.left(seat)
    roll.came(seat)
    await roll.tell_changes()
    assert [(there, left) for _, there, left in store.told] == [([], ["c1"]), (["c1"], [])]


async def test_what_could_not_be_told_is_told_later_and_newer_words_win() -> None:
    store, topic = Store(), room()
    roll = RollCall(store, interval_s=60.0)
    one, two = seated(topic, "c1"), seated(topic, "c2")
    roll.came(one)
    roll.came(two)
    store.down = True
    with contextlib.suppress(StoreUnavailable):
        await roll.tell_changes()
    roll.left(one)
    store.down = False
    await roll.tell_changes()
    assert store.told == [("room:1", ["c2"], ["c1"])]


async def test_everybody_who_is_there_is_told_again_and_nobody_else() -> None:
    store, topic, empty = Store(), room(), room("room:2")
    roll = RollCall(store, interval_s=60.0)
    seats = [seated(topic, f"c{n}") for n in range(1_200)]
    gone = seated(empty, "x")
    for seat in (*seats, gone):
        roll.came(seat)
    empty.remove(gone)
    roll.left(gone)
    await roll.tell_changes()
    store.told.clear()
    topic.remove(seats[3])
    roll.left(seats[3])
    await roll.call()
    there = [client for _, clients, _ in store.told for client in clients]
    assert sorted(there) == sorted(f"c{n}" for n in range(1_200) if n != 3)
    assert [left for _, _, left in store.told if left] == [["c3"]]


async def test_who_leaves_while_the_roll_is_called_is_taken_out_afterwards() -> None:
    store, topic = Store(), room()
    roll = RollCall(store, interval_s=60.0)
    seat = seated(topic, "c1")
    roll.came(seat)
    await roll.tell_changes()
    calling = asyncio.create_task(roll.call())
    await asyncio.sleep(0)
    topic.remove(seat)
    roll.left(seat)
    await calling
    assert [(there, left) for _, there, left in store.told][1:] == [(["c1"], []), ([], ["c1"])]


async def test_the_task_tells_changes_at_once_and_the_roll_in_time() -> None:
    store, topic = Store(), room()
    roll = RollCall(store, interval_s=0.05)
    task = asyncio.create_task(roll.run())
    roll.came(seated(topic, "c1"))
    await store.until(3)
    assert store.told[:3] == [("room:1", ["c1"], [])] * 3
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_key_that_holds_something_else_does_not_stop_the_roll() -> None:
    store, topic = Store(), room()
    store.broken = 1
    roll = RollCall(store, interval_s=0.05)
    task = asyncio.create_task(roll.run())
    roll.came(seated(topic, "c1"))
    await store.until(1)
    assert store.told[0] == ("room:1", ["c1"], [])
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_the_end_does_not_wait_for_a_store_that_is_away() -> None:
    store, topic = Store(), room()
    roll = RollCall(store, interval_s=60.0)
    roll.came(seated(topic, "c1"))
    store.down = True
    await roll.close()
    assert store.told == []


async def test_what_is_seen_of_a_client_comes_with_its_subscription() -> None:
    store, topic = Store(), room(options=Namespace("room", presence=True))
    roll = RollCall(store, interval_s=60.0)
    info = Raw(b'{"seat":1}')
    seat = GrantedSubscription(Client(name="c1"), topic, offset=0, server_side=False, expires_s=None, info=info)
    topic.add(seat)
    roll.came(seat)
    await roll.tell_changes()
    assert store.infos == [b'{"user":"ann","client":"c1","chan_info":{"seat":1}}']
    assert store.told == [("room:1", ["c1"], [])]
