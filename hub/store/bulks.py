"""Bulks: what is sent to many people, their recipients, and how far each has been worked off.

A bulk is taken in by steps - begin, write the recipients, open - so that no request holds Redis up. From then on one
worker at a time goes on with it under a lease. A worker that dies leaves it to another one, at the place that was
noted last: what is done again has the same ids and repeats nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from hub.domain.bulks import Bulk, BulkId, Recipient
from hub.store.bulk_cancellations import DONE, BulkCancellations
from hub.store.clock import Clock, unix_ms
from hub.store.connection import pipelined, read_pipelined
from hub.store.keys import Keys
from hub.store.outcomes_of_bulks import BULK_TTL_S, BulkOutcomes
from hub.store.round_trip import Command
from hub.store.scripts import Call, Scripts, load_script
from hub.store.server import Server

CHUNK = 50
"""Recipients that are kept, and worked off, together."""
_FILL_S = 120
"""A request that has not written all recipients by then has come to nothing."""
_NOT_OVER = -1
_BEGIN = load_script("bulk_begin")
_OPEN = load_script("bulk_open")
_CLAIM = load_script("bulk_claim")
_ADVANCE = load_script("bulk_advance")
_AGAIN = load_script("bulk_again")
_decode = msgspec.json.Decoder(Bulk).decode
_encode = msgspec.json.Encoder().encode
_decode_rows = msgspec.json.Decoder(list[Recipient]).decode


class Filling(msgspec.Struct, frozen=True):
    """The bulk may be written, by who has this."""

    token: str


class Known(msgspec.Struct, frozen=True):
    """The bulk is there."""

    bulk: Bulk


class Busy(msgspec.Struct, frozen=True):
    """Somebody else is writing it."""


Beginning: TypeAlias = Filling | Known | Busy


class Progress(msgspec.Struct, frozen=True):
    """How far a bulk has been worked off: `people` so far. `round_number` counts the retries of what had failed."""

    bulk: Bulk
    round_number: int
    place: str
    people: int
    cancelled_ms: int | None = None

    @property
    def over(self) -> bool:
        """Whether nobody else will be reached: what remains is the delivery workers' business."""
        return self.place == DONE


class Bulks:
    """The bulks of one installation. Every method raises StoreUnavailable; all writes may be repeated."""

    def __init__(
        self, server: Server, scripts: Scripts, keys: Keys, *, ttl_s: int = BULK_TTL_S, clock: Clock = unix_ms
    ) -> None:
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._ttl_s = ttl_s
        self._clock = clock
        self.outcomes = BulkOutcomes(server, scripts, keys, ttl_s=ttl_s)
        self._cancellations = BulkCancellations(server, scripts, keys)

    async def begin(self, bulk: BulkId) -> Beginning:
        """Begin to take a bulk in."""
        token = secrets.token_hex(8)
        match await self._scripts.run(_BEGIN, Call((self._keys.bulk(bulk, "state"),), (token, _FILL_S))):
            case [b"known", body, place]:
                known = _decode(body)
                if place.decode() != DONE:
                    await self._queue(known)
                return Known(known)
            case [b"fresh"]:
                return Filling(token)
            case _:
                return Busy()

    async def write(self, bulk: BulkId, first_chunk: int, recipients: Sequence[Recipient]) -> int:
        """Write recipients from a chunk on; return the number of the chunk after them."""
        key = self._keys.bulk(bulk, "rows")
        fields: list[str | bytes | int] = []
        chunk = first_chunk
        for start in range(0, len(recipients), CHUNK):
            fields += (chunk, _encode(recipients[start : start + CHUNK]))
            chunk += 1
        writes: list[Command] = [("HSET", key, *fields), ("EXPIRE", key, _FILL_S)]
        await pipelined(self._server, writes, what="bulk rows")
        return chunk

    async def open(self, bulk: Bulk, filling: Filling) -> bool:
        """Make a bulk known and have it worked off; False where the filling has lasted too long and others began."""
        keys = (self._keys.bulk(bulk.id, "state"), self._keys.bulk(bulk.id, "rows"))
        ttl_s = self._ttl_s + max(0, bulk.created_ms - self._clock()) // 1_000
        if not await self._scripts.run(_OPEN, Call(keys, (filling.token, _encode(bulk), ttl_s))):
            return False
        await self._queue(bulk)
        return True

    async def progress(self, bulk: BulkId) -> Progress | None:
        """Return how far a bulk is, None where none of that id is known (any more)."""
        read: Command = ("HMGET", self._keys.bulk(bulk, "state"), "bulk", "round", "place", "people", "cancelled")
        ((body, *numbers),) = await read_pipelined(self._server, [read], what="bulk state")
        if not body:
            return None
        round_number, place, people, cancelled = numbers
        cancelled_ms = int(cancelled) if cancelled else None
        return Progress(_decode(body), int(round_number), place.decode(), int(people or 0), cancelled_ms)

    async def rows(self, bulk: BulkId, chunk: int) -> list[Recipient]:
        """Return the recipients of a chunk."""
        read: Command = ("HGET", self._keys.bulk(bulk, "rows"), chunk)
        (rows,) = await read_pipelined(self._server, [read], what="bulk rows")
        return _decode_rows(rows) if rows else []

    async def claim(self, *, lease_ms: int) -> BulkId | None:
        """Take a bulk to go on with, for the time of a lease; None where all are worked off or in hand."""
        now_ms = self._clock()
        found = await self._scripts.run(_CLAIM, Call((self._keys.bulks_waiting(),), (now_ms, now_ms + lease_ms)))
        return BulkId(found.decode()) if found else None

    async def keep(self, bulk: BulkId, *, lease_ms: int) -> None:
        """Prolong the lease."""
        await self._wait(bulk, self._clock() + lease_ms)

    async def give_back(self, bulk: BulkId) -> None:
        """Let another worker go on at once."""
        await self._wait(bulk, self._clock())

    async def advance(self, progress: Progress, place: str | None, *, people: int) -> Progress | None:
        """Note that everybody up to a place has been reached, None: really everybody.

        Returns the new progress, None where somebody else has gone on meanwhile.
        """
        reached = DONE if place is None else place
        key = self._keys.bulk(progress.bulk.id, "state")
        args = (progress.round_number, progress.place, reached, people)
        if not await self._scripts.run(_ADVANCE, Call((key,), args)):
            return None
        if place is None:
            await self.leave(progress.bulk.id)
        return msgspec.structs.replace(progress, place=reached, people=progress.people + people)

    async def again(self, bulk: BulkId) -> int | None:
        """Begin another round for those for whom it has failed; return how many, None: the round before goes on."""
        keys = tuple(self._keys.bulk(bulk, part) for part in ("state", "rows", "outcomes", "counts"))
        progress = await self.progress(bulk)
        failed, began = await self._scripts.run(_AGAIN, Call(keys, (DONE, self._ttl_s)))
        if progress is not None and (began or failed == _NOT_OVER):
            await self._queue(progress.bulk)
        return None if failed == _NOT_OVER else max(0, int(failed))

    async def cancel(self, bulk: BulkId) -> bool:
        """Have nobody else reached, and what waits for others dropped; False where there is no such bulk."""
        known = await self._cancellations.cancel(bulk, now_ms=self._clock())
        if known:
            # After a crash before this, whoever claims it finds nothing left to do.
            await self.drop(bulk)
        return known

    async def leave(self, bulk: BulkId) -> None:
        """Take a bulk that is worked off out of the queue, unless another round of it has begun by now."""
        await self.drop(bulk)
        # Who begins a round leaves a bulk that is in the queue where it is, and cannot know that it is about to go.
        progress = await self.progress(bulk)
        if progress is not None and not progress.over:
            await self._queue(progress.bulk)

    async def drop(self, bulk: BulkId) -> None:
        """Take a bulk out of the queue."""
        await pipelined(self._server, [("ZREM", self._keys.bulks_waiting(), bulk)], what="bulk queue")

    async def _queue(self, bulk: Bulk) -> None:
        """Put a bulk into the queue, if it is not there: a crash may have come between its change and this."""
        at_ms = max(self._clock(), bulk.created_ms)
        await pipelined(self._server, [("ZADD", self._keys.bulks_waiting(), "NX", at_ms, bulk.id)], what="bulk queue")

    async def _wait(self, bulk: BulkId, until_ms: int) -> None:
        await pipelined(self._server, [("ZADD", self._keys.bulks_waiting(), until_ms, bulk)], what="bulk queue")
