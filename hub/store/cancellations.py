"""Cancel keys: call off what waits in the delay queue for a person under a name of the service's own.

A cancel raises the key's generation. A notification carries the generation that it was made under, with all its jobs;
those below are dropped. So a cancel hits everything that was sent before it and nothing that is sent after it, whatever
is under way meanwhile. A generation lies with each lane's jobs, so that a cancel and the beginning of a provider's call
exclude each other: after the cancel has answered, no call of what it hit begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from hub.domain.ids import UserId
from hub.domain.notifications import Job, Lane
from hub.store.clock import Clock
from hub.store.connection import read_pipelined
from hub.store.keys import Keys, shard_of
from hub.store.round_trip import Command
from hub.store.scripts import Call, Run, Scripts, load_script
from hub.store.server import Server

_TRACK = load_script("job_track")
_CANCEL = load_script("job_cancel")

KEPT_S = 180 * 86_400
"""How long a key is remembered after its last use: longer than any job waits."""
MAX_TRACKED = 256
"""Jobs of one key and lane that a cancel takes out of the queue at once; the others leave it when they are due."""
_DIGEST_BYTES = 16


class Cancellations:
    """The cancel keys of one installation. Every method raises StoreUnavailable; all writes may be repeated."""

    def __init__(self, server: Server, scripts: Scripts, keys: Keys, *, shards: int, clock: Clock) -> None:
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._shards = shards
        self._clock = clock

    async def generations(self, wanted: Sequence[tuple[Lane, UserId, str]]) -> list[int]:
        """Return the generation of each (lane, person, cancel key) at present, in one round trip."""
        reads: list[Command] = [("HGET", self.key(*each), "floor") for each in wanted]
        return [int(floor or 0) for floor in await read_pipelined(self._server, reads, what="cancel generations")]

    async def cancel(self, user: UserId, key: str) -> int:
        """Drop what was sent to a person under a key before this; return how many jobs that hit, waiting or in hand.

        A job in hand whose provider is being called is counted, but goes out; nothing follows it.
        """
        everywhere = [(lane, user, key) for lane in Lane]
        now_ms = self._clock()
        # Above all that was read: a server whose clock is behind must not cancel into the past.
        generation = max(now_ms, 1 + max(await self.generations(everywhere)))
        calls = [
            Call((self.key(lane, user, key), *self._parts(lane, user, "due", "body")), (generation, now_ms, KEPT_S))
            for lane in Lane
        ]
        return sum(await self._scripts.run_many(_CANCEL, calls))

    async def are_cancelled(self, jobs: Sequence[Job]) -> list[bool]:
        """Say of each job whether its key has been cancelled since it was made; no round trip where none has a key."""
        keyed = [job.notification for job in jobs if job.notification.cancel_key]
        if not keyed:
            return [False] * len(jobs)
        floors = iter(await self.generations([(each.lane, each.user, each.cancel_key) for each in keyed]))
        return [bool(job.notification.cancel_key) and job.notification.generation < next(floors) for job in jobs]

    def tracking(self, jobs: Sequence[Job]) -> list[Run]:
        """Return the script runs that note jobs under their keys; to be sent along with what schedules them."""
        return [self._tracking(job) for job in jobs if job.notification.cancel_key]

    def _tracking(self, job: Job) -> Run:
        about = job.notification
        keys = (self.key(job.lane, about.user, about.cancel_key), *self._parts(job.lane, about.user, "body"))
        return _TRACK, Call(keys, (job.id, about.generation, KEPT_S, MAX_TRACKED))

    def key(self, lane: Lane, user: UserId, key: str) -> str:
        """Return the Redis key of a cancel key, which lies beside the person's jobs of the lane."""
        digest = blake2b(f"{user}\x1f{key}".encode(), digest_size=_DIGEST_BYTES).hexdigest()
        return self._keys.cancellation(lane, shard_of(user, self._shards), digest)

    def _parts(self, lane: Lane, user: UserId, *parts: str) -> tuple[str, ...]:
        return tuple(self._keys.jobs(lane, shard_of(user, self._shards), part) for part in parts)
