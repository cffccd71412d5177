"""A shipment: its states, its expected arrival, its timeline and whose it is.

What a shipment ends up as depends only on which events came, not on their order: the furthest state wins. Delivered and
returned are further than anything before them, whatever a version or a clock says, so nobody hears "out for delivery"
of a parcel in their hands. Between dispatch and delivery attempts repeat: they are ordered by `attempt` where the
carrier counts them, else by time.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hub.domain.envelope import Event, unix_ms
from hub.domain.events import (
    AnyShipment,
    ShipmentCreated,
    ShipmentDelayed,
    ShipmentDelivered,
    ShipmentFailed,
    ShipmentOutForDelivery,
    ShipmentRescheduled,
    ShipmentReturned,
)
from hub.domain.ids import EventKey, OrderId, ShipmentId, UserId
from hub.domain.orders import Goods, Order
from hub.domain.timeline import Contradiction, TimelineEntry, extended, stale_entry

Standing = tuple[int, int, int, int, int, int]
"""(finality, version, phase, attempt, then either kind of attempt or time and kind)."""
Stamp = tuple[int, int, EventKey]
"""(version, time in ms, event): which word on the expected arrival is the last."""


class ShipmentStatus(StrEnum):
    """The states of a shipment. `failed` is an attempt to deliver that failed."""

    CREATED = "created"
    DISPATCHED = "dispatched"
    OUT_FOR_DELIVERY = "out_for_delivery"
    FAILED = "failed"
    DELIVERED = "delivered"
    RETURNED = "returned"


_ATTEMPTS = (ShipmentStatus.OUT_FOR_DELIVERY, ShipmentStatus.FAILED)
_Explained = ShipmentDelayed | ShipmentRescheduled | ShipmentFailed | ShipmentReturned
_FINAL = (ShipmentStatus.DELIVERED, ShipmentStatus.RETURNED)


class Shipment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A shipment as it is kept. Times are Unix ms."""

    id: ShipmentId
    order_id: OrderId
    user: UserId
    status: ShipmentStatus
    standing: Standing
    status_ms: int
    """When the status was reached, by the carrier's clock."""
    timeline: tuple[TimelineEntry, ...]
    goods: Goods | None = None
    """What the order is about; None until the order is known, and then its owner is known to be the shipment's, too."""
    carrier: str | None = None
    eta_ms: int | None = None
    eta_stamp: Stamp | None = None
    attempt: int | None = None
    rank: int = 0
    """Counts what was announced; orders the values of the shipment's topic."""


_decoder = msgspec.json.Decoder(Shipment)
_encoder = msgspec.json.Encoder()


def decode_shipment(body: bytes) -> Shipment:
    """Decode the document of a shipment."""
    return _decoder.decode(body)


def encode_shipment(shipment: Shipment) -> bytes:
    """Encode a shipment as the body of its document."""
    return _encoder.encode(shipment)


def create(event: Event, data: ShipmentCreated, *, order: Order | None, now_ms: int) -> Shipment | Contradiction | None:
    """Return the shipment that `shipment.created` begins; None where nobody can say yet whose it is."""
    user = order.user if order is not None else data.customer_id
    if user is None:
        return None
    if data.customer_id is not None and data.customer_id != user:
        return Contradiction(f"order {data.order_id} belongs to another customer")
    status = ShipmentStatus.CREATED
    seed = Shipment(
        id=data.shipment_id,
        order_id=data.order_id,
        user=user,
        status=status,
        standing=_standing(status, version=data.version or 0, time_ms=event.time_ms, attempt=None),
        status_ms=event.time_ms,
        timeline=(),
        goods=order.goods if order is not None else None,
    )
    return _recorded(_enriched(seed, event, data), event, data, announced=True, now_ms=now_ms)


def advance(
    shipment: Shipment, event: Event, data: AnyShipment, *, order: Order | None, now_ms: int
) -> Shipment | Contradiction:
    """Return the shipment after an event that it has not seen; the event's entry is the last of the timeline.

    `order` is None where it is not known or not read.
    """
    contradiction = _contradiction(shipment, data, order)
    if contradiction is not None:
        return contradiction
    if isinstance(data, ShipmentDelayed | ShipmentRescheduled):
        announced = _delay_is_news(shipment, event, data)
        moved = shipment
    else:
        moved = _moved(shipment, event, data)
        announced = moved is not shipment
    if order is not None and moved.goods is None:
        moved = msgspec.structs.replace(moved, goods=order.goods)
    return _recorded(_enriched(moved, event, data), event, data, announced=announced, now_ms=now_ms)


def _contradiction(shipment: Shipment, data: AnyShipment, order: Order | None) -> Contradiction | None:
    if data.order_id is not None and data.order_id != shipment.order_id:
        return Contradiction(f"shipment {shipment.id} belongs to another order")
    if data.customer_id is not None and data.customer_id != shipment.user:
        return Contradiction(f"shipment {shipment.id} belongs to another customer")
    if order is not None and order.user != shipment.user:
        return Contradiction(f"shipment {shipment.id} and its order belong to different customers")
    return None


def _moved(shipment: Shipment, event: Event, data: AnyShipment) -> Shipment:
    status = ShipmentStatus(event.type.removeprefix("shipment."))
    attempt = data.attempt if isinstance(data, ShipmentOutForDelivery | ShipmentFailed) else None
    standing = _standing(status, version=data.version or 0, time_ms=event.time_ms, attempt=attempt)
    if standing <= shipment.standing:
        return shipment
    return msgspec.structs.replace(
        shipment,
        status=status,
        standing=standing,
        status_ms=event.time_ms,
        attempt=attempt if attempt is not None else shipment.attempt,
    )


def _standing(status: ShipmentStatus, *, version: int, time_ms: int, attempt: int | None) -> Standing:
    match status:
        case ShipmentStatus.RETURNED:
            return (2, 0, 0, 0, 0, 0)
        case ShipmentStatus.DELIVERED:
            return (1, 0, 0, 0, 0, 0)
        case ShipmentStatus.CREATED:
            return (0, version, 0, 0, 0, 0)
        case ShipmentStatus.DISPATCHED:
            return (0, version, 1, 0, 0, 0)
        case ShipmentStatus.OUT_FOR_DELIVERY | ShipmentStatus.FAILED:
            kind = int(status is ShipmentStatus.FAILED)
            return (0, version, 2, attempt, kind, 0) if attempt else (0, version, 2, 0, time_ms, kind)


def _delay_is_news(shipment: Shipment, event: Event, data: ShipmentDelayed | ShipmentRescheduled) -> bool:
    if shipment.status in _FINAL or not _eta_is_newer(shipment, event, data):
        return False
    # A delay from before the courier set out was overtaken by that.
    said = (data.version or 0, event.time_ms)
    return shipment.status not in _ATTEMPTS or said >= (shipment.standing[1], shipment.status_ms)


def _eta_is_newer(shipment: Shipment, event: Event, data: AnyShipment) -> bool:
    return shipment.eta_stamp is None or _stamp(event, data) > shipment.eta_stamp


def _stamp(event: Event, data: AnyShipment) -> Stamp:
    return (data.version or 0, event.time_ms, event.key)


def _enriched(shipment: Shipment, event: Event, data: AnyShipment) -> Shipment:
    """Take over what an event says besides the status, be it stale: the newest word on the arrival counts."""
    eta = data.new_eta if isinstance(data, ShipmentDelayed | ShipmentRescheduled) else data.eta
    if eta is not None and _eta_is_newer(shipment, event, data):
        shipment = msgspec.structs.replace(shipment, eta_ms=unix_ms(eta), eta_stamp=_stamp(event, data))
    if data.carrier is not None and shipment.carrier is None:
        shipment = msgspec.structs.replace(shipment, carrier=data.carrier)
    return shipment


def _recorded(shipment: Shipment, event: Event, data: AnyShipment, *, announced: bool, now_ms: int) -> Shipment:
    if not announced:
        stale = stale_entry(event, now_ms=now_ms)
        return msgspec.structs.replace(shipment, timeline=extended(shipment.timeline, stale))
    rank = shipment.rank + 1
    entry = _entry(shipment, event, data, rank=rank, now_ms=now_ms)
    return msgspec.structs.replace(shipment, rank=rank, timeline=extended(shipment.timeline, entry))


def _entry(shipment: Shipment, event: Event, data: AnyShipment, *, rank: int, now_ms: int) -> TimelineEntry:
    delivered = data if isinstance(data, ShipmentDelivered) else None
    handed_over = delivered.delivered_at if delivered is not None else None
    return TimelineEntry(
        event.key,
        event.type,
        event.time_ms,
        event.received_ms,
        now_ms,
        announced=True,
        status=shipment.status,
        rank=rank,
        reason=data.reason if isinstance(data, _Explained) else None,
        carrier=shipment.carrier,
        eta_ms=shipment.eta_ms,
        attempt=shipment.attempt,
        signed_by=delivered.signed_by if delivered is not None else None,
        delivered_ms=unix_ms(handed_over) if handed_over is not None else None,
        with_order=shipment.goods is not None,
    )
