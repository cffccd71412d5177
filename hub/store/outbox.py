"""The outbox: outcomes that wait to be told to Kafka.

An outcome is written by the script that makes it true, into a list that lies with its person. A script cannot write to
another slot, so whose outbox is not empty is noted in the same round trip, in a sorted set of a shard of people. On a
cluster that note may arrive before the outcome: so who was found to have nothing left is looked at once more, a minute
later, before they are forgotten.

Bounded: an outbox keeps the newest 64, and the publisher drops the outboxes that have waited for longest where too many
people have one. What is dropped is counted, and leaves a hole in the numbers of its notification.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence

import msgspec

from hub.domain.ids import UserId
from hub.store.clock import Clock, unix_ms
from hub.store.connection import read_pipelined
from hub.store.keys import Keys, shard_of
from hub.store.round_trip import Command
from hub.store.scripts import Call, Run, Scripts, load_script
from hub.store.server import Server

_CALL = load_script("outbox_call")
_DROP = load_script("outbox_drop")
_REST = load_script("outbox_rest")
_LEASE = load_script("outbox_lease")
MOST_OF_ONE = 64
"""Outcomes that wait for one person."""
_REST_MS = 60_000
_LOST = b"!"


class Pending(msgspec.Struct, frozen=True):
    """Somebody whose outbox is to be looked at; `score` tells whether something was put in since."""

    user: UserId
    score: bytes


class Entry(msgspec.Struct, frozen=True):
    """One outcome that waits: the `number`th of its notification. `stored` is what `drop` knows it by."""

    number: int
    notification: str
    text: bytes
    stored: bytes


class Box(msgspec.Struct, frozen=True):
    """What waits for one person, the oldest first. `lost` outcomes before them found no room."""

    pending: Pending
    entries: tuple[Entry, ...] = ()
    lost: int = 0
    stored: tuple[bytes, ...] = ()


class Outbox:
    """The outboxes of one installation. Every method raises StoreUnavailable."""

    def __init__(
        self,
        server: Server,
        scripts: Scripts,
        keys: Keys,
        *,
        shards: int,
        clock: Clock = unix_ms,
    ) -> None:
        """Take `shards` of people, the same for all processes."""
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self.shards = shards
        self._clock = clock
        self._token = secrets.token_hex(8)

    def calling(self, users: Iterable[UserId]) -> list[Run]:
        """Return the script runs that note whose outboxes are to be looked at; they go behind what fills them."""
        now_ms = self._clock()
        return [
            (_CALL, Call((self._keys.outcomes(shard_of(user, self.shards), "waiting"),), (now_ms, user)))
            for user in dict.fromkeys(users)
        ]

    async def lease(self, shard: int, lease_ms: int) -> bool:
        """Take or prolong the lease of a shard, 0: give it back; False: somebody else has it."""
        call = Call((self._keys.outcomes(shard, "lease"),), (self._token, lease_ms))
        return bool(await self._scripts.run(_LEASE, call))

    async def pending(self, shard: int, limit: int) -> list[Pending]:
        """Return up to `limit` people of a shard whose outboxes wait, those who have waited for longest first."""
        read: Command = ("ZRANGE", self._keys.outcomes(shard, "waiting"), 0, limit - 1, "WITHSCORES")
        (found,) = await read_pipelined(self._server, [read], what="outbox pending")
        return [Pending(UserId(user.decode()), score) for user, score in zip(found[::2], found[1::2], strict=True)]

    async def count(self, shard: int) -> int:
        """Return how many people of a shard have an outbox that waits."""
        read: Command = ("ZCARD", self._keys.outcomes(shard, "waiting"))
        (count,) = await read_pipelined(self._server, [read], what="outbox count")
        return int(count)

    async def read(self, people: Sequence[Pending]) -> list[Box]:
        """Return what waits for each, in one round trip."""
        reads: list[Command] = [("LRANGE", self._keys.outbox(each.user), 0, -1) for each in people]
        replies = await read_pipelined(self._server, reads, what="outbox read")
        return [_box(pending, stored) for pending, stored in zip(people, replies, strict=True)]

    async def drop(self, boxes: Iterable[Box]) -> None:
        """Take out what was read: it has been told, or is given up."""
        calls = [Call((self._keys.outbox(box.pending.user),), box.stored) for box in boxes if box.stored]
        await self._scripts.run_many(_DROP, calls)

    async def rest(self, shard: int, people: Sequence[Pending]) -> None:
        """Look at people no more until something is put in, but for once in a minute."""
        if not people:
            return
        keys = (self._keys.outcomes(shard, "waiting"), self._keys.outcomes(shard, "resting"))
        args = [part for each in people for part in (each.user, each.score)]
        await self._scripts.run(_REST, Call(keys, (self._clock() + _REST_MS, *args)))

    async def wake(self, shard: int, limit: int) -> int:
        """Look once more at up to `limit` people who have rested; return how many had something after all."""
        resting = self._keys.outcomes(shard, "resting")
        due: Command = ("ZRANGEBYSCORE", resting, "-inf", self._clock(), "LIMIT", 0, limit)
        (found,) = await read_pipelined(self._server, [due], what="outbox resting")
        if not found:
            return 0
        users = [UserId(user.decode()) for user in found]
        lengths = await read_pipelined(
            self._server, [("LLEN", self._keys.outbox(user)) for user in users], what="outbox resting"
        )
        again = [user for user, length in zip(users, lengths, strict=True) if length]
        await self._scripts.run_mixed(self.calling(again))
        await read_pipelined(self._server, [("ZREM", resting, *users)], what="outbox resting")
        return len(again)


def _box(pending: Pending, stored: Sequence[bytes]) -> Box:
    lost, entries = 0, stored
    if stored and stored[0].startswith(_LOST):
        lost, entries = int(stored[0][1:]), stored[1:]
    return Box(pending, tuple(map(_entry, entries)), lost, tuple(stored))


def _entry(stored: bytes) -> Entry:
    number, notification, text = stored.split(b" ", 2)
    return Entry(int(number), notification.decode(), text, stored)
