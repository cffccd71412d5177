"""Erasure: what is kept about a person is deleted, and what waits for them leaves the delay queue."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from hub.domain.decisions import Aggregate, AggregateKind
from hub.domain.devices import DeviceId
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import Lane
from hub.domain.topics import inbox
from hub.store.clock import Clock, unix_ms
from hub.store.connection import read_pipelined
from hub.store.keys import Keys, shard_of
from hub.store.round_trip import Command
from hub.store.scripts import Call, Scripts, load_script
from hub.store.server import Server

_ERASE = load_script("user_erase")
_HASTEN = load_script("job_hasten")
_INBOX_PARTS = ("entries", "order", "unread", "collapse")
_SCANNED = 100
"""Jobs that one run of the script looks at: it holds up everybody else for about half a millisecond."""


class Erasure:
    """Erases people. Raises StoreUnavailable; then it is to be done again, which may be done at any time.

    What stays is the tombstone, and for a while keys that hold ids of notifications and nothing else, by which repeated
    events stay without effect.
    """

    def __init__(self, server: Server, scripts: Scripts, keys: Keys, *, shards: int, clock: Clock = unix_ms) -> None:
        """Take `shards` of the delay queue."""
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._shards = shards
        self._clock = clock

    async def erase(self, user: UserId) -> None:
        """Delete a person's inbox, its history, records, devices and preferences, and refuse new ones from then on.

        What waits for them in the delay queue is due at once, and is dropped there: nobody who is erased is sent
        anything. The document itself is the tombstone: the erasing decision's change has replaced its body.
        """
        ids, devices = await self._bar(user)
        keys, topic = self._keys, inbox(user)
        elsewhere = [
            *(keys.notification_user(each) for each in ids),
            *(keys.return_path(each) for each in ids),
            *(keys.device_user(each) for each in devices),
        ]
        await read_pipelined(self._server, [("DEL", key) for key in elsewhere], what="erase")
        records = [keys.feed(user), keys.outbox(user), *(keys.record(user, each) for each in ids)]
        parts = (keys.inbox(user, part) for part in _INBOX_PARTS)
        doomed = [keys.topic_stream(topic), keys.devices(user), keys.preferences(user), *parts, *records]
        kept = (self._document(user), keys.topic_meta(topic))
        await self._scripts.run(_ERASE, Call((*kept, *doomed), (secrets.token_urlsafe(6),)))
        for lane in Lane:
            await self._hasten(user, lane)

    async def _bar(self, user: UserId) -> tuple[Sequence[NotificationId], Sequence[DeviceId]]:
        """Refuse whatever would be kept about a person from now on; return what there is that has keys elsewhere."""
        keys = self._keys
        commands: list[Command] = [
            ("HSET", self._document(user), "erased", "1"),
            ("HKEYS", keys.inbox(user, "entries")),
            ("LRANGE", keys.feed(user), 0, -1),
            ("HKEYS", keys.devices(user)),
        ]
        _, entries, feed, devices = await read_pipelined(self._server, commands, what="erase")
        ids = dict.fromkeys(NotificationId(each.decode()) for each in (*entries, *feed))
        return tuple(ids), tuple(DeviceId(each.decode()) for each in devices)

    async def _hasten(self, user: UserId, lane: Lane) -> None:
        """Have a person's jobs of a lane claimed at once."""
        shard = shard_of(user, self._shards)
        keys = tuple(self._keys.jobs(lane, shard, part) for part in ("due", "body"))
        cursor, owner = "0", b'user":' + msgspec.json.encode(user)
        while True:
            args = (cursor, owner, user, self._clock(), _SCANNED)
            reached = await self._scripts.run(_HASTEN, Call(keys, args))
            cursor = reached.decode()
            if cursor == "0":
                return

    def _document(self, user: UserId) -> str:
        return self._keys.document(Aggregate(AggregateKind.PERSON, user))
