"""Digests in the delay queue: what gathers for one message, beside the person's jobs of the lane.

A step that is due moves from the queue into the person's open digest of its category and channel; the closing job of
that digest is put into the queue by the first. Closing it, and taking what is in it, is one step as well: so every step
is in the queue, in one digest, or done.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from hashlib import blake2b

import msgspec

from hub.domain.digests import name_of
from hub.domain.notifications import Job
from hub.store.clock import Clock, unix_ms
from hub.store.dead_letters import DeadLetter, DeadLetters
from hub.store.jobs import Claimed
from hub.store.keys import Keys, shard_of
from hub.store.scripts import Call, Scripts, load_script

_GATHER = load_script("digest_gather")
_TAKE = load_script("digest_take")

MAX_GATHERED = 200
"""Steps in one digest; a full one goes out at once, and the next begins."""
_KEPT_MS = 31 * 86_400_000
"""How long a digest outlives its window: as long as its dead letter could be tried again."""
_DIGEST_BYTES = 16
_FIELDS = frozenset({b"closing", b"full"})
_decode = msgspec.json.Decoder(Job).decode
_encode: Callable[[Job], bytes] = msgspec.json.Encoder().encode


class Gathering(IntEnum):
    """What became of a step that was to be gathered."""

    LOST = 0
    """The lease has passed to somebody else: nothing happened."""
    GATHERED = 1
    FULL = 2
    """The digest takes no more and closes: the step is back in the queue, for the next one."""


class Digests:
    """The digests of one installation. Every method raises StoreUnavailable; all writes may be repeated."""

    def __init__(
        self,
        scripts: Scripts,
        keys: Keys,
        dead_letters: DeadLetters,
        *,
        shards: int,
        dedupe_window_s: int,
        most: int = MAX_GATHERED,
        clock: Clock = unix_ms,
    ) -> None:
        """Take `shards` and `dedupe_window_s` of the delay queue, and how many steps a digest holds at most."""
        self._scripts = scripts
        self._keys = keys
        self._dead_letters = dead_letters
        self._shards = shards
        self._dedupe_window_s = dedupe_window_s
        self._most = most
        self._clock = clock

    async def gather(self, claimed: Claimed, closing: Job) -> Gathering:
        """Move a job in hand into the person's open digest; `closing` closes the one that is opened if none is."""
        job, now_ms = claimed.job, self._clock()
        keys = (
            *self._parts(job, "due", "leased", "body", "state"),
            self._keys.job_seen(job.lane, self._shard(job), job.id),
            self._open(job, name_of(job)),
            self._keys.job_seen(job.lane, self._shard(job), closing.id),
        )
        kept_s = (max(0, closing.due_ms - now_ms) + _KEPT_MS) // 1_000
        item = (job.id, claimed.token, self._dedupe_window_s, _encode(job))
        args = (*item, closing.id, closing.due_ms, _encode(closing), self._most, kept_s, now_ms)
        return Gathering(await self._scripts.run(_GATHER, Call(keys, args)))

    async def take(self, claimed: Claimed) -> tuple[Job, ...] | None:
        """Close the digest of a closing job in hand; return what is in it, oldest first. None: the lease is lost."""
        job = claimed.job
        closed = self._keys.closed_digest(job.lane, self._shard(job), job.notification.id)
        keys = (*self._parts(job, "state"), self._open(job, job.digest), closed)
        reply = await self._scripts.run(_TAKE, Call(keys, (job.id, claimed.token)))
        if reply == 0:
            return None
        items = [each for each in zip(reply[::2], reply[1::2], strict=True) if each[0] not in _FIELDS]
        jobs = [await self._read(job, name, body) for name, body in items]
        known = [each for each in jobs if each is not None]
        return tuple(sorted(known, key=lambda each: (each.notification.created_ms, each.id)))

    async def _read(self, closing: Job, name: bytes, body: bytes) -> Job | None:
        """Return a step that gathered; one that cannot be read (of another version) is put aside, and blocks nobody."""
        try:
            return _decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            origin = f"job {closing.lane}/{self._shard(closing)}"
            reason = f"the job cannot be read: {error}"
            letter = DeadLetter(
                id=name.decode(), origin=origin, reason=reason, field="", body=body, at_ms=self._clock()
            )
            await self._dead_letters.add_many([letter])
            return None

    def _open(self, job: Job, name: str) -> str:
        digest = blake2b(f"{job.notification.user}\x1f{name}".encode(), digest_size=_DIGEST_BYTES).hexdigest()
        return self._keys.open_digest(job.lane, self._shard(job), digest)

    def _shard(self, job: Job) -> int:
        return shard_of(job.notification.user, self._shards)

    def _parts(self, job: Job, *parts: str) -> tuple[str, ...]:
        return tuple(self._keys.jobs(job.lane, self._shard(job), part) for part in parts)
