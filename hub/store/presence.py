"""Presence: which clients are subscribed to a topic, told by the workers that hold their connections.

An entry ends by itself unless its worker says again that the client is there, so a worker that dies takes its clients
with it after `ttl_s`. On a topic with joins and leaves the same script that changes the presence tells who came or
went, over the topic's pub/sub channel: `*+<JSON>` and `*-<JSON>`, outside of the offsets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from hub.domain.ids import Topic, UserId
from hub.domain.topics import Namespaces
from hub.store.clock import Clock, unix_ms
from hub.store.keys import Keys
from hub.store.scripts import Call, Run, Scripts, load_script

ATTENDANCE = b"*"
"""How the pub/sub messages begin that tell of somebody. No publication's does: an epoch has no such character."""
CAME = b"*+"
PRESENCE_TTL_S = 60
MAX_MEMBERS = 5_000
"""What one read may ask for."""
_CHANGE = load_script("presence_change")
_READ = load_script("presence_read")
_STATS = load_script("presence_stats")


class Member(msgspec.Struct, frozen=True, gc=False):
    """One client of a topic. `info` is what others see of it: a ClientInfo of the protocol, as JSON."""

    client: str
    user: UserId
    info: bytes


class Attendance(msgspec.Struct, frozen=True):
    """What a worker has to tell of one topic: who of its clients is there, new or still, and who has left."""

    topic: Topic
    there: Sequence[Member] = ()
    left: Sequence[str] = ()


class PresenceStats(msgspec.Struct, frozen=True):
    """How many clients are there, and of how many users."""

    clients: int
    users: int


class Presence:
    """The presence of all topics. Every method raises StoreUnavailable.

    Where a topic's namespace has `join_leave`, whoever is found to be new or to be gone is told on the topic's channel.
    """

    def __init__(
        self,
        scripts: Scripts,
        keys: Keys,
        namespaces: Namespaces,
        *,
        ttl_s: float = PRESENCE_TTL_S,
        clock: Clock = unix_ms,
    ) -> None:
        """Take `ttl_s`: how long a client counts as there after its worker has said so."""
        self._scripts = scripts
        self._keys = keys
        self._namespaces = namespaces
        self._ttl_ms = int(ttl_s * 1000)
        self._clock = clock

    async def change_many(self, attendances: Sequence[Attendance]) -> None:
        """Tell who is there and who is not, in order and in one round trip. Telling it twice changes nothing.

        A topic's clients in one attendance should not be more than some hundreds: the script runs alone on the server.
        """
        now_ms = self._clock()
        await self._scripts.run_mixed([self._change(attendance, now_ms) for attendance in attendances])

    def _change(self, attendance: Attendance, now_ms: int) -> Run:
        members = [part for each in attendance.there for part in (each.client, each.user, each.info)]
        end_ms = now_ms + self._ttl_ms
        keys_ttl_s = 2 * self._ttl_ms // 1000 + 1
        told = self._told(attendance.topic)
        args = (now_ms, end_ms, keys_ttl_s, told, len(attendance.there), *members, *attendance.left)
        return _CHANGE, Call(self._all(attendance.topic), args)

    async def members(self, topic: Topic, *, limit: int = MAX_MEMBERS) -> Mapping[str, bytes]:
        """Return what is seen of each client that is there, as JSON by client; at most `limit` of them."""
        expiry, entries, *_ = self._all(topic)
        found = await self._scripts.run(_READ, Call((expiry, entries), (self._clock(), min(limit, MAX_MEMBERS))))
        return {client.decode(): info for client, info in zip(found[::2], found[1::2], strict=True)}

    async def stats(self, topic: Topic) -> PresenceStats:
        """Count who is there."""
        args = (self._clock(), self._told(topic))
        clients, users = await self._scripts.run(_STATS, Call(self._all(topic), args))
        return PresenceStats(clients, users)

    def _told(self, topic: Topic) -> str:
        options = self._namespaces.of(topic)
        return "1" if options is not None and options.join_leave else "0"

    def _all(self, topic: Topic) -> tuple[str, str, str, str]:
        keys = self._keys
        expiry, entries, users = (keys.presence(topic, part) for part in ("expiry", "entries", "users"))
        return expiry, entries, users, keys.topic_channel(topic)
