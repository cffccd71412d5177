"""Documents: the state of each aggregate, changed by compare-and-set, and who belongs to whom."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

import msgspec

from hub.domain.decisions import Aggregate, AggregateKind, Change, Document, Link
from hub.domain.ids import OrderId, ShipmentId
from hub.store.connection import read_pipelined
from hub.store.keys import Keys
from hub.store.parked_event import in_order
from hub.store.round_trip import Command
from hub.store.scripts import Call, Scripts, load_script
from hub.store.server import Server
from hub.store.topics import sortable

_APPLY = load_script("document_apply")


class Applied(msgspec.Struct, frozen=True):
    """The change is stored as `version`. `parked`: the events that wait for this aggregate, until they are unparked."""

    version: int
    parked: tuple[bytes, ...] = ()


class Conflict(msgspec.Struct, frozen=True):
    """Somebody else changed the aggregate since it was read: read again, decide again."""


class Overtaking(msgspec.Struct, frozen=True):
    """Not applied: events have waited for this aggregate since before it was there, and they go first."""

    parked: tuple[bytes, ...]


class Unfinished(msgspec.Struct, frozen=True):
    """Not applied: what the change says must be out before is not."""


ApplyResult: TypeAlias = Applied | Conflict | Overtaking | Unfinished
_APPLIED, _OVERTAKING, _UNFINISHED = 1, 2, 3


class Documents:
    """The documents of one installation. Every method raises StoreUnavailable."""

    def __init__(self, server: Server, scripts: Scripts, keys: Keys, *, ttl_s: int) -> None:
        """Take `ttl_s`: how long an aggregate is kept after its last change. A person is kept until erased."""
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._ttl_s = ttl_s

    async def read_many(self, aggregates: Sequence[Aggregate]) -> list[Document]:
        """Return the documents in the order asked, in one round trip; version 0 where there is none."""
        reads: list[Command] = [("HMGET", self._keys.document(aggregate), "v", "body") for aggregate in aggregates]
        replies = await read_pipelined(self._server, reads, what="documents read")
        return [Document(int(version or 0), body or b"") for version, body in replies]

    async def apply_many(
        self, changes: Sequence[Change], *, heard: AbstractSet[Aggregate] = frozenset()
    ) -> list[ApplyResult]:
        """Apply each change whose aggregate still has the expected version, in order and in one round trip.

        A change that is there already is Applied again, so a batch whose fate is unknown is applied once more. Of an
        aggregate in `heard` the caller has taken the waiting events into account; the change of another one that has
        any, and was not made only now, is Overtaking. One whose precedent is not out is Unfinished.
        """
        calls = [self._applying(change, heard=change.aggregate in heard) for change in changes]
        replies = await self._scripts.run_many(_APPLY, calls)
        return [_applied(change, reply) for change, reply in zip(changes, replies, strict=True)]

    def _applying(self, change: Change, *, heard: bool) -> Call:
        aggregate, after = change.aggregate, change.after
        keys = (self._keys.document(aggregate), self._keys.parked(aggregate))
        args = (change.expected_version, change.body, self._lifetime_s(aggregate), int(heard))
        if after is None:
            return Call(keys, args)
        if after.rank is None:
            return Call((*keys, self._keys.topic_seen(after.topic, after.id)), args)
        return Call((*keys, self._keys.topic_meta(after.topic)), (*args, sortable(after.rank)))

    def _lifetime_s(self, aggregate: Aggregate) -> int:
        return 0 if aggregate.kind is AggregateKind.PERSON else self._ttl_s

    async def link_many(self, links: Sequence[Link]) -> None:
        """Note which shipments belong to which orders, in one round trip."""
        commands: list[Command] = []
        for link in links:
            key = self._keys.order_shipments(link.order)
            commands += [("SADD", key, link.shipment), ("EXPIRE", key, self._ttl_s)]
        await read_pipelined(self._server, commands, what="documents link")

    async def shipments_of(self, order: OrderId) -> list[ShipmentId]:
        """Return the shipments of an order, sorted by id."""
        read: Command = ("SMEMBERS", self._keys.order_shipments(order))
        (members,) = await read_pipelined(self._server, [read], what="documents links")
        return sorted(ShipmentId(member.decode()) for member in members)


def _applied(change: Change, reply: Any) -> ApplyResult:
    match reply:
        case [status, parked] if status == _APPLIED:
            return Applied(change.expected_version + 1, in_order(parked))
        case [status, parked] if status == _OVERTAKING:
            return Overtaking(in_order(parked))
        case [status, _] if status == _UNFINISHED:
            return Unfinished()
        case _:
            return Conflict()
