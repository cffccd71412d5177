"""Dispatch: from an event and a snapshot of what is known to everything the event leads to. Pure.

`touches` says which documents the snapshot needs, `decide` decides. The caller applies the decision by compare-and-set
and decides again on a fresh snapshot where it lost the race.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import assert_never

import msgspec

from hub.domain import effects, orders, people, sales, shipments, timeline, topics
from hub.domain.decisions import (
    Aggregate,
    AggregateKind,
    Change,
    Decision,
    Document,
    Erase,
    Link,
    Outcome,
    Precedent,
)
from hub.domain.envelope import Event
from hub.domain.events import (
    AnyOrder,
    AnySale,
    AnyShipment,
    OrderPlaced,
    PriceChanged,
    ShipmentCreated,
    StockReplenished,
    UserErased,
    UserUpdated,
)
from hub.domain.ids import EventKey, Topic
from hub.domain.orders import Order
from hub.domain.rules import Playbook
from hub.domain.sales import Sale, SaleEntry
from hub.domain.shipments import Shipment
from hub.domain.timeline import Contradiction, TimelineEntry

ABSENT = Document(0, b"")
"""Stands for an aggregate that is not there."""


class Touch(msgspec.Struct, frozen=True):
    """The aggregates an event is decided on: the one it may change, and the order that a shipment belongs to."""

    own: Aggregate | None = None
    related: Aggregate | None = None


class Snapshot(msgspec.Struct, frozen=True):
    """The documents of a `Touch`; version 0 where there is none."""

    own: Document = ABSENT
    related: Document = ABSENT


class Now(msgspec.Struct, frozen=True):
    """The time of a decision, and how far back effects are repeated."""

    ms: int
    replay_window_ms: int


def touches(event: Event) -> Touch:
    """Return which aggregates must be read to decide on an event."""
    match event.data:
        case AnyOrder(order_id=order_id):
            return Touch(Aggregate(AggregateKind.ORDER, order_id))
        case AnyShipment(shipment_id=shipment_id, order_id=order_id):
            order = Aggregate(AggregateKind.ORDER, order_id) if order_id is not None else None
            return Touch(Aggregate(AggregateKind.SHIPMENT, shipment_id), order)
        case AnySale(sale_id=sale_id):
            return Touch(Aggregate(AggregateKind.SALE, sale_id))
        case UserUpdated(user_id=user) | UserErased(user_id=user):
            return Touch(Aggregate(AggregateKind.PERSON, user))
        case PriceChanged() | StockReplenished():
            return Touch()
        case _:
            assert_never(event.data)


def begins(event: Event) -> bool:
    """Say whether others of its order or shipment wait for this event."""
    return isinstance(event.data, OrderPlaced | ShipmentCreated)


def decide(event: Event, snapshot: Snapshot, *, playbook: Playbook, now_ms: int, replay_window_ms: int) -> Decision:
    """Return everything `event` leads to, given the documents that `touches` asked for.

    An event that the document has seen gives the same effects again (REPLAYED) while it was applied less than
    `replay_window_ms` ago, and none (DUPLICATE) afterwards.
    """
    now = Now(now_ms, replay_window_ms)
    match event.data:
        case AnyOrder() as data:
            return _decide_order(event, data, snapshot, playbook, now)
        case AnyShipment() as data:
            return _decide_shipment(event, data, snapshot, playbook, now)
        case AnySale() as data:
            return _decide_sale(event, data, snapshot, now)
        case UserUpdated() as data:
            return _decide_update(event, data, snapshot)
        case UserErased() as data:
            return _decide_erasure(data, snapshot)
        case PriceChanged() as data:
            return Decision(Outcome.APPLIED, publications=effects.of_price(event, data))
        case StockReplenished() as data:
            return Decision(Outcome.APPLIED, publications=effects.of_stock(event, data))
        case _:
            assert_never(event.data)


def made_up_for(
    aggregate: Aggregate, document: Document, *, heard: Collection[EventKey] = frozenset(), playbook: Playbook
) -> list[Decision]:
    """Return the effects of an order's or shipment's last change that announced anything, one decision for each entry.

    For whoever finds that they may have been cut off by a crash: those of earlier changes are all there, or the last
    one would not have been made (`Change.after`). Of `heard` events the effects follow anyway, so what comes after the
    last one that is not heard is left out. Their correlation ids being lost, the events' keys stand for them.
    """
    match aggregate.kind:
        case AggregateKind.ORDER:
            order = orders.decode_order(document.body)
            entries = _up_to_the_last_unheard(order.timeline, heard)
            return [_order_effects(order, entry, playbook, entry.event) for entry in entries]
        case AggregateKind.SHIPMENT:
            shipment = shipments.decode_shipment(document.body)
            entries = _up_to_the_last_unheard(shipment.timeline, heard)
            return [_shipment_effects(shipment, entry, playbook, entry.event) for entry in entries]
        case _:
            return []


def _up_to_the_last_unheard(
    entries: tuple[TimelineEntry, ...], heard: Collection[EventKey]
) -> tuple[TimelineEntry, ...]:
    last = timeline.last_announced(entries)
    unheard = [place for place, entry in enumerate(last, start=1) if entry.event not in heard]
    return last[: unheard[-1]] if unheard else ()


def _precedent(entries: tuple[TimelineEntry, ...], topic: Topic, now: Now) -> Precedent | None:
    newest = next((entry for entry in reversed(entries) if entry.announced), None)
    if newest is None or now.ms - newest.applied_ms >= now.replay_window_ms:
        return None
    return effects.precedent(topic, newest)


def _decide_order(event: Event, data: AnyOrder, snapshot: Snapshot, playbook: Playbook, now: Now) -> Decision:
    aggregate = Aggregate(AggregateKind.ORDER, data.order_id)
    if snapshot.own.version == 0:
        if not isinstance(data, OrderPlaced):
            return _parked(aggregate)
        order, after = orders.place(event, data, now_ms=now.ms), None
    else:
        known = orders.decode_order(snapshot.own.body)
        seen = timeline.find(known.timeline, event.key)
        if seen is not None:
            again = _order_effects(known, seen, playbook, event.correlation_id)
            return _repeated(seen, now, again, place=known.timeline.index(seen))
        advanced = orders.advance(known, event, data, now_ms=now.ms)
        if isinstance(advanced, Contradiction):
            return _rejected(advanced)
        order, after = advanced, _precedent(known.timeline, topics.order(known.id), now)
    change = Change(aggregate, snapshot.own.version, orders.encode_order(order), after)
    entry = order.timeline[-1]
    if not entry.announced:
        return _stale(change)
    told = _order_effects(order, entry, playbook, event.correlation_id)
    return _applied(change, told, place=len(order.timeline) - 1)


def _order_effects(order: Order, entry: TimelineEntry, playbook: Playbook, correlation_id: str) -> Decision:
    if not entry.announced:
        return Decision(Outcome.APPLIED)
    return Decision(
        Outcome.APPLIED,
        publications=effects.of_order(order, entry),
        notifications=effects.notifications(
            entry,
            user=order.user,
            context=effects.order_context(order, entry),
            link=effects.link_to_order(order.id),
            playbook=playbook,
            correlation_id=correlation_id,
        ),
    )


def _decide_shipment(event: Event, data: AnyShipment, snapshot: Snapshot, playbook: Playbook, now: Now) -> Decision:
    aggregate = Aggregate(AggregateKind.SHIPMENT, data.shipment_id)
    order = orders.decode_order(snapshot.related.body) if snapshot.related.version else None
    moved: Shipment | Contradiction | None
    after: Precedent | None = None
    if snapshot.own.version == 0:
        if not isinstance(data, ShipmentCreated):
            return _parked(aggregate)
        moved = shipments.create(event, data, order=order, now_ms=now.ms)
    else:
        known = shipments.decode_shipment(snapshot.own.body)
        seen = timeline.find(known.timeline, event.key)
        if seen is not None:
            again = _shipment_effects(known, seen, playbook, event.correlation_id)
            return _repeated(seen, now, again, place=known.timeline.index(seen))
        moved = shipments.advance(known, event, data, order=order, now_ms=now.ms)
        after = _precedent(known.timeline, topics.shipment(known.id), now)
    match moved:
        case None:
            return _parked(Aggregate(AggregateKind.ORDER, data.order_id or ""))
        case Contradiction():
            return _rejected(moved)
    change = Change(aggregate, snapshot.own.version, shipments.encode_shipment(moved), after)
    entry = moved.timeline[-1]
    if not entry.announced:
        return _stale(change)
    told = _shipment_effects(moved, entry, playbook, event.correlation_id)
    return _applied(change, told, place=len(moved.timeline) - 1)


def _shipment_effects(shipment: Shipment, entry: TimelineEntry, playbook: Playbook, correlation_id: str) -> Decision:
    if not entry.announced:
        return Decision(Outcome.APPLIED)
    return Decision(
        Outcome.APPLIED,
        publications=effects.of_shipment(shipment, entry),
        notifications=effects.notifications(
            entry,
            user=shipment.user,
            context=effects.shipment_context(shipment, entry),
            link=effects.link_to_order(shipment.order_id),
            playbook=playbook,
            correlation_id=correlation_id,
        ),
        links=(Link(shipment.order_id, shipment.id),) if entry.type == "shipment.created" else (),
    )


def _decide_sale(event: Event, data: AnySale, snapshot: Snapshot, now: Now) -> Decision:
    known = sales.decode_sale(snapshot.own.body) if snapshot.own.version else None
    for entry in known.timeline if known is not None else ():
        if known is not None and entry.event == event.key:
            return _repeated(entry, now, _sale_effects(known, entry))
    sale = sales.advance_sale(known, event, data, now_ms=now.ms)
    aggregate = Aggregate(AggregateKind.SALE, data.sale_id)
    change = Change(aggregate, snapshot.own.version, sales.encode_sale(sale))
    newest = sale.timeline[-1]
    return _applied(change, _sale_effects(sale, newest)) if newest.announced else _stale(change)


def _sale_effects(sale: Sale, entry: SaleEntry) -> Decision:
    return Decision(Outcome.APPLIED, publications=effects.of_sale(sale, entry) if entry.announced else ())


def _decide_update(event: Event, data: UserUpdated, snapshot: Snapshot) -> Decision:
    own = snapshot.own
    person = people.person_of(own, data.user_id)
    if person.erased:
        return Decision(Outcome.STALE, reason="the person was erased")
    if people.has_seen(person, event.key):
        return Decision(Outcome.DUPLICATE)
    updated = people.updated(person, event, data)
    if updated is person and own.version:
        return Decision(Outcome.STALE, reason="newer updates are known")
    aggregate = Aggregate(AggregateKind.PERSON, data.user_id)
    return Decision(Outcome.APPLIED, change=Change(aggregate, own.version, people.encode_person(updated)))


def _decide_erasure(data: UserErased, snapshot: Snapshot) -> Decision:
    """Erase, and erase again however often it comes: the first time may have been cut off halfway."""
    own = snapshot.own
    if people.person_of(own, data.user_id).erased:
        return Decision(Outcome.REPLAYED, erase=Erase(data.user_id))
    aggregate = Aggregate(AggregateKind.PERSON, data.user_id)
    body = people.encode_person(people.tombstone(data.user_id))
    return Decision(Outcome.APPLIED, change=Change(aggregate, own.version, body), erase=Erase(data.user_id))


def _applied(change: Change, effects_: Decision, *, place: int = 0) -> Decision:
    return msgspec.structs.replace(effects_, change=change, place=place)


def _stale(change: Change) -> Decision:
    return Decision(Outcome.STALE, change=change, reason="a later state is known")


def _repeated(entry: TimelineEntry | SaleEntry, now: Now, effects_: Decision, *, place: int = 0) -> Decision:
    if not entry.announced or now.ms - entry.applied_ms >= now.replay_window_ms:
        return Decision(Outcome.DUPLICATE)
    return msgspec.structs.replace(effects_, outcome=Outcome.REPLAYED, place=place)


def _rejected(contradiction: Contradiction) -> Decision:
    return Decision(Outcome.REJECTED, reason=contradiction.reason)


def _parked(aggregate: Aggregate) -> Decision:
    return Decision(Outcome.PARKED, park_under=aggregate, reason=f"the {aggregate.kind} {aggregate.id} is not known")
