"""What dispatch decides about one event: values that the store carries out.

An event is decided on a snapshot of the aggregates it touches. A decision changes at most one aggregate, by
compare-and-set on the version the snapshot had; who lost the race decides again on a fresh snapshot.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hub.domain.ids import EffectId, OrderId, ShipmentId, Topic, UserId
from hub.domain.notifications import Notification


class AggregateKind(StrEnum):
    """The things with a state of their own."""

    ORDER = "order"
    SHIPMENT = "shipment"
    PERSON = "person"
    SALE = "sale"


class Aggregate(msgspec.Struct, frozen=True):
    """Names one aggregate: `Aggregate(AggregateKind.ORDER, "A-1")`."""

    kind: AggregateKind
    id: str


class Document(msgspec.Struct, frozen=True):
    """An aggregate as stored: JSON `body`, and a `version` that each change raises by one. Version 0: absent."""

    version: int
    body: bytes


class Publication(msgspec.Struct, frozen=True):
    """One message for a topic. `data` is one JSON value.

    `rank` orders the values of a `latest` topic: one not above the stored rank is dropped. None on other topics.
    `origin_ms` is when the event reached Doorbell, for measuring event-to-socket time; 0 where unknown.
    `kept` False tells only those who are connected now: it gets no offset, and nobody can recover it.
    `dedupe_s` is for how long the id keeps it from going out again, and its sender can ask where it stands; None for
    the installation's window, without asking.
    `info` is what others see of the client that publishes, as JSON; empty where no client does.
    """

    topic: Topic
    id: EffectId
    data: bytes
    rank: int | None = None
    origin_ms: int = 0
    kept: bool = True
    dedupe_s: int | None = None
    info: bytes = b""


class Precedent(msgspec.Struct, frozen=True):
    """What went out last because of an aggregate's change before: where it is out, all effects of that change are.

    `rank` as in `Publication`.
    """

    topic: Topic
    id: EffectId
    rank: int | None = None


class Change(msgspec.Struct, frozen=True):
    """Set an aggregate's document, if its version is still `expected_version` and `after` is out."""

    aggregate: Aggregate
    expected_version: int
    body: bytes
    after: Precedent | None = None
    """None where nothing went out before, or so long ago that it is not repeated."""


class Link(msgspec.Struct, frozen=True):
    """Note that a shipment belongs to an order."""

    order: OrderId
    shipment: ShipmentId


class Erase(msgspec.Struct, frozen=True):
    """Delete everything kept about a person but the tombstone that keeps them erased."""

    user: UserId


class Outcome(StrEnum):
    """What became of an event; the label of the `dispatched` counter."""

    APPLIED = "applied"
    STALE = "stale"
    """Recorded in the timeline, announced to nobody."""
    DUPLICATE = "duplicate"
    """Seen before, longer ago than the replay window: no effects."""
    REPLAYED = "replayed"
    """Seen before, recently: the effects are repeated, and the store drops the ones it has."""
    PARKED = "parked"
    """Kept until the aggregate it talks about appears."""
    IGNORED = "ignored"
    """No type of ours: counted and skipped."""
    REJECTED = "rejected"
    """Contradicts what is known: a dead letter."""


class Decision(msgspec.Struct, frozen=True):
    """Everything one event leads to. Applied in this order: change, effects. All effects are idempotent by id."""

    outcome: Outcome
    change: Change | None = None
    publications: tuple[Publication, ...] = ()
    notifications: tuple[Notification, ...] = ()
    links: tuple[Link, ...] = ()
    erase: Erase | None = None
    park_under: Aggregate | None = None
    """With PARKED: the aggregate whose first change wakes the event."""
    reason: str = ""
    """With REJECTED, STALE, IGNORED: why, in words for an operator."""
    place: int = 0
    """With APPLIED, REPLAYED: where the event stands in the timeline of its order or shipment."""
