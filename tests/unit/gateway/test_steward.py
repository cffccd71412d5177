"""The steward against a log that loses messages, is trimmed, begins anew and goes back in time."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from hub.domain.directives import Directive, DisconnectUser, RefreshUser, SubscribeUser, UnsubscribeUser, Whose
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import Epoch, Topic, UserId
from hub.domain.topics import Position
from hub.gateway.people import People
from hub.gateway.steward import Steward
from hub.protocol.codes import Disconnect, Unsubscribed
from hub.store.topics import Page, Stored

ANN = UserId("ann")


class FakeSession:
    def __init__(self, client: str, done: list[object]) -> None:
        self.client = client
        self._done = done

    def close(self, why: Disconnect) -> list[object]:
        return [why.code]

    def revoked(self, topic: Topic, why: Unsubscribed) -> list[object]:
        return [f"-{topic}"]


class FakeConnection:
    """Notes what is done with it."""

    def __init__(self, client: str) -> None:
        self.done: list[object] = []
        self.session = FakeSession(client, self.done)

    def perform(self, effects: list[object]) -> None:
        self.done += effects

    def subscribe(self, topic: Topic, since: Position | None) -> None:
        self.done.append(f"+{topic}")

    def expire_at(self, expires_s: int | None) -> None:
        self.done.append(expires_s)


class FakeLog:
    """A log in memory, from `first` on, in one epoch."""

    channel = "log"

    def __init__(self) -> None:
        self.epoch = Epoch("e")
        self.entries: list[bytes] = []
        self.first = 1
        self.away = False

    def write(self, directive: Directive) -> bytes:
        """Write an entry; return the message that tells of it."""
        data = msgspec.json.encode(directive)
        self.entries.append(data)
        return b"%s:%d:0:%s" % (self.epoch.encode(), len(self.entries), data)

    async def end(self) -> Position:
        return Position(self.epoch, len(self.entries))

    async def since(self, offset: int, *, limit: int) -> Page:
        if self.away:
            raise StoreUnavailable("away")
        kept = [Stored(n, data) for n, data in enumerate(self.entries, 1) if n >= self.first and n > offset]
        complete = offset <= len(self.entries) and offset + 1 >= self.first
        return Page(await self.end(), tuple(kept[:limit]), complete=complete)


class Room:
    """A steward with two connections of Ann."""

    def __init__(self) -> None:
        self.log = FakeLog()
        self.people = People()
        self.phone, self.laptop = FakeConnection("phone"), FakeConnection("laptop")
        for each in (self.phone, self.laptop):
            self.people.add(ANN, cast("Any", each))
        self.steward = Steward(self.log, self.people, listen=self._listen, check_interval_s=60)

    async def _listen(self) -> None:
        """Nothing to do: the test hands messages over."""

    async def begin(self) -> None:
        self.steward._at = await self.log.end()


@pytest.fixture
async def room() -> Room:
    room = Room()
    room.log.write(kick(9_000))
    await room.begin()
    return room


def kick(code: int, client: str = "", spared: tuple[str, ...] = ()) -> Directive:
    return DisconnectUser(Whose(ANN, client), code, "go", spared)


async def test_what_was_said_before_the_start_does_not_count(room: Room) -> None:
    await room.steward.catch_up()
    assert room.phone.done == []


async def test_a_directive_is_carried_out_on_all_of_a_persons_connections(room: Room) -> None:
    room.steward.hear(room.log.write(kick(4_001)))
    assert (room.phone.done, room.laptop.done) == ([4_001], [4_001])


async def test_one_client_can_be_meant_and_others_spared(room: Room) -> None:
    room.steward.hear(room.log.write(kick(4_001, client="phone")))
    room.steward.hear(room.log.write(kick(4_002, spared=("phone",))))
    assert (room.phone.done, room.laptop.done) == ([4_001], [4_002])


async def test_every_kind_of_directive_is_carried_out(room: Room) -> None:
    whose, topic = Whose(ANN, "phone"), Topic("room:1")
    for directive in (SubscribeUser(whose, topic), UnsubscribeUser(whose, topic), RefreshUser(whose, 99)):
        room.steward.hear(room.log.write(directive))
    assert room.phone.done == ["+room:1", "-room:1", 99]


async def test_others_are_left_alone(room: Room) -> None:
    room.steward.hear(room.log.write(DisconnectUser(Whose(UserId("bob")), 4_001, "go")))
    assert room.phone.done == []


async def test_what_was_not_heard_is_read_in_order_and_once(room: Room) -> None:
    messages = [room.log.write(kick(code)) for code in (4_001, 4_002, 4_003)]
    room.steward.hear(messages[2])
    assert room.steward._wanted.is_set()
    await room.steward.catch_up()
    room.steward.hear(messages[1])
    room.steward.hear(room.log.write(kick(4_004)))
    assert room.phone.done == [4_001, 4_002, 4_003, 4_004]


async def test_more_than_a_page_is_read_whole(room: Room) -> None:
    for code in range(1_200):
        room.log.write(kick(code))
    await room.steward.catch_up()
    assert room.phone.done == [*range(1_200)]


async def test_what_is_no_longer_kept_keeps_nothing_else_from_being_done(room: Room) -> None:
    for code in (4_001, 4_002, 4_003):
        room.log.write(kick(code))
    room.log.first = 4
    await room.steward.catch_up()
    room.steward.hear(room.log.write(kick(4_004)))
    assert room.phone.done == [4_003, 4_004]


async def test_a_log_that_began_anew_is_read_from_its_start(room: Room) -> None:
    room.log.epoch, room.log.entries = Epoch("f"), []
    room.steward.hear(room.log.write(kick(4_001)))
    await room.steward.catch_up()
    room.steward.hear(room.log.write(kick(4_002)))
    assert room.phone.done == [4_001, 4_002]


async def test_a_log_that_was_rolled_back_is_followed_from_there(room: Room) -> None:
    room.steward.hear(room.log.write(kick(4_001)))
    room.log.entries.clear()
    await room.steward.catch_up()
    room.steward.hear(room.log.write(kick(4_002)))
    assert room.phone.done == [4_001, 4_002]


async def test_while_the_store_is_away_nothing_is_forgotten(room: Room) -> None:
    room.log.write(kick(4_001))
    room.log.away = True
    with pytest.raises(StoreUnavailable):
        await room.steward.catch_up()
    room.log.away = False
    await room.steward.catch_up()
    assert room.phone.done == [4_001]


@pytest.mark.parametrize("message", [b"", b"e:x:0:{}", b"e:2:0:not json", b'e:2:0:{"do":"dance"}'])
async def test_what_cannot_be_read_is_passed_over(room: Room, message: bytes) -> None:
    room.steward.hear(message)
    room.log.entries.append(b"{}")
    await room.steward.catch_up()
    room.steward.hear(room.log.write(kick(4_001)))
    assert room.phone.done == [4_001]
