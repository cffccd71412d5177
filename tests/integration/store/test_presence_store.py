import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from hub.domain.ids import Topic, UserId
from hub.store.keys import Keys
from hub.store.presence import Attendance, Member, Presence, PresenceStats
from hub.store.server import Server
from tests.integration.store.conftest import FakeClock
from tests.integration.store.hearing import hearing

ROOM = Topic("room:1")
LOBBY = Topic("lobby:1")
"""Where it is told who comes and goes."""


def member(client: str, user: str = "ada") -> Member:
    return Member(client, UserId(user), b'{"client":"%s"}' % client.encode())


def there(*members: Member, topic: Topic = ROOM) -> Attendance:
    return Attendance(topic, there=members)


def left(*clients: str, topic: Topic = ROOM) -> Attendance:
    return Attendance(topic, left=clients)


class Listener:
    """What a topic's pub/sub channel tells."""

    def __init__(self, server: Server, channel: str, heard: asyncio.Queue[bytes]) -> None:
        self._server = server
        self._channel = channel
        self._heard = heard

    async def next(self) -> tuple[str, str]:
        """Who came ("+") or went ("-")."""
        async with asyncio.timeout(5):
            data = await self._heard.get()
        assert data[:1] == b"*"
        return data[1:2].decode(), json.loads(data[2:])["client"]

    async def has_no_more(self) -> bool:
        """Whether nothing was told up to now."""
        await self._server.publish(self._channel, b'*={"client":"end"}')
        return await self.next() == ("=", "end")


@pytest.fixture
async def lobby(server: Server, keys: Keys) -> AsyncIterator[Listener]:
    async with hearing(server, channel := keys.topic_channel(LOBBY)) as heard:
        yield Listener(server, channel, heard)


@pytest.fixture
async def room(server: Server, keys: Keys) -> AsyncIterator[Listener]:
    async with hearing(server, channel := keys.topic_channel(ROOM)) as heard:
        yield Listener(server, channel, heard)


async def test_who_is_there_can_be_read_and_counted(presence: Presence) -> None:
    await presence.change_many([there(member("c1"), member("c2"), member("c3", "bob"))])
    assert await presence.members(ROOM) == {name: b'{"client":"%s"}' % name.encode() for name in ("c1", "c2", "c3")}
    assert await presence.stats(ROOM) == PresenceStats(clients=3, users=2)


async def test_a_topic_where_nobody_is_has_no_members(presence: Presence) -> None:
    assert await presence.members(ROOM) == {}
    assert await presence.stats(ROOM) == PresenceStats(0, 0)


async def test_a_user_is_there_until_their_last_client_leaves(presence: Presence) -> None:
    await presence.change_many([there(member("c1"), member("c2")), left("c1")])
    assert await presence.stats(ROOM) == PresenceStats(1, 1)
    await presence.change_many([left("c2")])
    assert await presence.stats(ROOM) == PresenceStats(0, 0)


async def test_telling_it_twice_changes_nothing(presence: Presence) -> None:
    for _ in range(2):
        await presence.change_many([there(member("c1"), member("c2")), left("c2", "never-there")])
    assert await presence.stats(ROOM) == PresenceStats(1, 1)


@pytest.mark.parametrize("user", ["", "12:ü", "a" * 128])
async def test_any_user_id_is_kept_apart_from_what_is_seen_of_it(presence: Presence, user: str) -> None:
    await presence.change_many([there(member("c1", user))])
    assert await presence.members(ROOM) == {"c1": b'{"client":"c1"}'}
    await presence.change_many([left("c1")])
    assert await presence.stats(ROOM) == PresenceStats(0, 0)


async def test_clients_of_a_worker_that_died_are_gone_after_a_while(presence: Presence, clock: FakeClock) -> None:
    await presence.change_many([there(member("c1"), member("c2", "bob"))])
    clock.now_ms += 59_000
    await presence.change_many([there(member("c1"))])
    clock.now_ms += 2_000
    assert list(await presence.members(ROOM)) == ["c1"]
    assert await presence.stats(ROOM) == PresenceStats(1, 1)


async def test_the_keys_end_by_themselves(presence: Presence, redis: Redis, keys: Keys) -> None:
    await presence.change_many([there(member("c1"))])
    ttls = [await redis.ttl(keys.presence(ROOM, part)) for part in ("expiry", "entries", "users")]
    assert all(60 < ttl <= 121 for ttl in ttls)


async def test_topics_have_a_presence_of_their_own(presence: Presence) -> None:
    other = Topic("room:2")
    await presence.change_many([there(member("c1")), Attendance(other, there=(member("c2", "bob"),))])
    assert list(await presence.members(other)) == ["c2"]
    assert await presence.stats(ROOM) == PresenceStats(1, 1)


async def test_a_read_is_bounded(presence: Presence) -> None:
    await presence.change_many([there(*(member(f"c{n}") for n in range(20)))])
    assert len(await presence.members(ROOM, limit=7)) == 7


async def test_who_comes_and_goes_is_told_once(presence: Presence, lobby: Listener) -> None:
    for _ in range(2):
        await presence.change_many([there(member("c1"), topic=LOBBY)])
    assert await lobby.next() == ("+", "c1")
    for _ in range(2):
        await presence.change_many([left("c1", "c2", topic=LOBBY)])
    assert await lobby.next() == ("-", "c1")
    assert await lobby.has_no_more()


async def test_it_is_told_when_a_dead_workers_client_is_given_up(
    presence: Presence, lobby: Listener, clock: FakeClock
) -> None:
    await presence.change_many([there(member("c1"), topic=LOBBY)])
    assert await lobby.next() == ("+", "c1")
    clock.now_ms += 61_000
    await presence.change_many([there(member("c2"), topic=LOBBY)])
    assert [await lobby.next(), await lobby.next()] == [("-", "c1"), ("+", "c2")]
    clock.now_ms += 61_000
    await presence.stats(LOBBY)
    assert await lobby.next() == ("-", "c2")


async def test_nothing_is_told_where_the_namespace_has_no_joins(presence: Presence, room: Listener) -> None:
    await presence.change_many([there(member("c1")), left("c1")])
    assert await room.has_no_more()


async def test_a_thousand_dead_clients_are_given_up_bit_by_bit(presence: Presence, clock: FakeClock) -> None:
    for start in range(0, 1_500, 500):
        await presence.change_many([there(*(member(f"c{n}", f"u{n}") for n in range(start, start + 500)))])
    clock.now_ms += 61_000
    assert (await presence.stats(ROOM)).clients == 0
    assert await presence.stats(ROOM) == PresenceStats(0, 0)
