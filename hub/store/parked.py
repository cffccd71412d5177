"""Parked events: those about an order or shipment that nobody has heard of yet, until it appears or time is up."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from hub.domain.decisions import Aggregate, AggregateKind
from hub.domain.ids import EffectId
from hub.store.connection import read_pipelined
from hub.store.keys import Keys
from hub.store.parked_event import in_order, split
from hub.store.round_trip import Command
from hub.store.scripts import Call, Scripts, load_script
from hub.store.server import Server

_PARK = load_script("park")
_UNPARK = load_script("unpark")
_CLAIM = load_script("parked_claim")

_CLAIM_MS = 60_000
_OUTLIVES_S = 7 * 86_400


class Parking(StrEnum):
    """What became of an event that was to be parked."""

    KEPT = "kept"
    EXISTS = "exists"
    """The aggregate has appeared meanwhile: decide again."""
    FULL = "full"
    """As many events as allowed wait for this aggregate: put it to the dead letters."""


_PARKINGS = {0: Parking.FULL, 1: Parking.KEPT, 2: Parking.EXISTS}


class Parked:
    """The parked events of one installation. Every method raises StoreUnavailable; all of them may be repeated.

    A parked event leaves only by `unpark`, which the caller does after it has dealt with it: none is lost on the way.
    """

    def __init__(self, server: Server, scripts: Scripts, keys: Keys) -> None:
        self._server = server
        self._scripts = scripts
        self._keys = keys

    async def park(
        self, aggregate: Aggregate, body: bytes, *, effect: EffectId, now_ms: int, deadline_ms: int, limit: int
    ) -> Parking:
        """Keep an event until `deadline_ms`, once for each `effect`; `limit` at most wait for one aggregate."""
        ttl_s = max(deadline_ms - now_ms, 0) // 1_000 + _OUTLIVES_S
        keys = (self._keys.document(aggregate), self._keys.parked(aggregate))
        parking = _PARKINGS[await self._scripts.run(_PARK, Call(keys, (effect, deadline_ms, body, limit, ttl_s)))]
        if parking is Parking.KEPT:
            # Who dies before this has not acknowledged the event, so it comes again, and so does this.
            await self._remind([(deadline_ms, aggregate)])
        return parking

    async def waiting_many(self, aggregates: Sequence[Aggregate]) -> list[tuple[bytes, ...]]:
        """Return the events that wait for each aggregate, parked first first, in one round trip.

        For whoever repeats an event that made an aggregate appear: the one before may have died before it woke these.
        """
        reads: list[Command] = [("HVALS", self._keys.parked(aggregate)) for aggregate in aggregates]
        return [in_order(values) for values in await read_pipelined(self._server, reads, what="parked read")]

    async def unpark(self, aggregate: Aggregate, bodies: Sequence[bytes]) -> None:
        """Forget events that have been dealt with."""
        await self._scripts.run(_UNPARK, Call((self._keys.parked(aggregate),), tuple(bodies)))

    async def expired(self, now_ms: int, limit: int) -> list[tuple[Aggregate, bytes]]:
        """Return overdue events of up to `limit` aggregates; for a minute nobody else gets them.

        The caller decides each once more, as its aggregate may have appeared; makes a dead letter of what still does
        not fit; and unparks all of them. What is not unparked within the minute is handed out again.
        """
        call = Call((self._keys.parked_deadlines(),), (now_ms, now_ms + _CLAIM_MS, limit))
        aggregates = [_aggregate(name) for name in await self._scripts.run(_CLAIM, call)]
        overdue: list[tuple[Aggregate, bytes]] = []
        idle: list[Aggregate] = []
        for aggregate, events in await self._events_of(aggregates):
            late = [(aggregate, body) for deadline_ms, body in events if deadline_ms <= now_ms]
            overdue += late
            if not late:
                idle.append(aggregate)
        await self._correct(idle)
        return overdue

    async def _correct(self, idle: Sequence[Aggregate]) -> None:
        """Put right the reminders of aggregates for which nothing is overdue."""
        deadlines = self._keys.parked_deadlines()
        removals: list[Command] = [("ZREM", deadlines, _name(aggregate)) for aggregate in idle]
        await read_pipelined(self._server, removals, what="parked correct")
        # Looked at after the removal: what was parked meanwhile is not forgotten.
        await self._remind([(events[0][0], aggregate) for aggregate, events in await self._events_of(idle) if events])

    async def _events_of(self, aggregates: Sequence[Aggregate]) -> list[tuple[Aggregate, list[tuple[int, bytes]]]]:
        reads: list[Command] = [("HVALS", self._keys.parked(aggregate)) for aggregate in aggregates]
        replies = await read_pipelined(self._server, reads, what="parked read")
        return [(aggregate, sorted(map(split, reply))) for aggregate, reply in zip(aggregates, replies, strict=True)]

    async def _remind(self, reminders: Sequence[tuple[int, Aggregate]]) -> None:
        """See to it that `expired` looks at each aggregate at the given time, in Unix ms, or earlier."""
        key = self._keys.parked_deadlines()
        commands: list[Command] = [("ZADD", key, "LT", due_ms, _name(aggregate)) for due_ms, aggregate in reminders]
        await read_pipelined(self._server, commands, what="parked remind")


def _name(aggregate: Aggregate) -> str:
    return f"{aggregate.kind}:{aggregate.id}"


def _aggregate(name: bytes) -> Aggregate:
    kind, _, aggregate_id = name.decode().partition(":")
    return Aggregate(AggregateKind(kind), aggregate_id)
