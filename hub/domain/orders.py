"""An order: its states, its payments, its timeline and whose it is.

Events may come twice and in any order. What an order ends up as depends only on which events came: the furthest state
wins, by the backend's `version` where it counts one, then by rank. (A version may thus take an order back: cancelled
and then confirmed after all.) Only an event that moves the order forward is announced.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hub.domain import payments
from hub.domain.envelope import Event
from hub.domain.events import (
    AnyOrder,
    AnyPayment,
    Item,
    OrderCancelled,
    OrderPlaced,
    OrderReturned,
    PaymentFailed,
    PaymentRefunded,
)
from hub.domain.ids import OrderId, UserId
from hub.domain.money import Money
from hub.domain.payments import Payment, PaymentStatus
from hub.domain.timeline import Contradiction, TimelineEntry, extended, stale_entry

MAX_ITEMS_KEPT = 50


class OrderStatus(StrEnum):
    """The states of an order, in the order of their rank."""

    PLACED = "placed"
    CONFIRMED = "confirmed"
    PACKED = "packed"
    CANCELLED = "cancelled"
    RETURNED = "returned"


_RANKS = {status: rank for rank, status in enumerate(OrderStatus)}


class Goods(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an order is about, in a line: the first item, the pieces in all, and the lines besides the first."""

    item: str
    item_count: int
    other_items: int = 0


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """An order as it is kept. `standing` is (version, rank) of its status."""

    id: OrderId
    user: UserId
    status: OrderStatus
    standing: tuple[int, int]
    total: Money
    goods: Goods
    placed_ms: int
    timeline: tuple[TimelineEntry, ...]
    payment: PaymentStatus | None = None
    payments: tuple[Payment, ...] = ()
    items: msgspec.Raw = msgspec.Raw(b"[]")
    """The first 50 lines, as a JSON array of `Item`. Raw, because most events only carry them along."""

    @property
    def item_list(self) -> tuple[Item, ...]:
        """The first 50 lines, decoded."""
        return _items_decoder.decode(self.items)


_decoder = msgspec.json.Decoder(Order)
_items_decoder = msgspec.json.Decoder(tuple[Item, ...])
_encoder = msgspec.json.Encoder()


def decode_order(body: bytes) -> Order:
    """Decode the document of an order."""
    return _decoder.decode(body)


def encode_order(order: Order) -> bytes:
    """Encode an order as the body of its document."""
    return _encoder.encode(order)


def place(event: Event, data: OrderPlaced, *, now_ms: int) -> Order:
    """Return the order that `order.placed` begins."""
    entry = _entry(event, now_ms, status=OrderStatus.PLACED, amount=data.total)
    return Order(
        id=data.order_id,
        user=data.customer_id,
        status=OrderStatus.PLACED,
        standing=(data.version or 0, _RANKS[OrderStatus.PLACED]),
        total=data.total,
        goods=Goods(data.items[0].name, sum(item.quantity for item in data.items), len(data.items) - 1),
        placed_ms=event.time_ms,
        timeline=(entry,),
        items=msgspec.Raw(_encoder.encode(data.items[:MAX_ITEMS_KEPT])),
    )


def advance(order: Order, event: Event, data: AnyOrder, *, now_ms: int) -> Order | Contradiction:
    """Return the order after an event that it has not seen; the event's entry is the last of the timeline."""
    if data.customer_id is not None and data.customer_id != order.user:
        return Contradiction(f"order {order.id} belongs to another customer")
    if isinstance(data, AnyPayment):
        return _pay(order, event, data, now_ms)
    status = OrderStatus(event.type.removeprefix("order."))
    standing = (data.version or 0, _RANKS[status])
    if standing <= order.standing:
        return msgspec.structs.replace(order, timeline=extended(order.timeline, stale_entry(event, now_ms=now_ms)))
    reason = data.reason if isinstance(data, OrderCancelled | OrderReturned) else None
    entry = _entry(event, now_ms, status=status, payment=order.payment, reason=reason)
    return msgspec.structs.replace(order, status=status, standing=standing, timeline=extended(order.timeline, entry))


def _pay(order: Order, event: Event, data: AnyPayment, now_ms: int) -> Order:
    status = PaymentStatus(event.type.removeprefix("payment."))
    new = payments.payment_of(data, status=status, time_ms=event.time_ms)
    merged = payments.merged(order.payments, new)
    payment = payments.overall(merged)
    if payments.is_news(order.payments, new):
        entry = _entry(
            event,
            now_ms,
            status=order.status,
            payment=payment,
            payment_id=data.payment_id,
            amount=data.amount,
            reason=data.reason if isinstance(data, PaymentFailed | PaymentRefunded) else None,
        )
    else:
        entry = stale_entry(event, now_ms=now_ms)
    return msgspec.structs.replace(order, payment=payment, payments=merged, timeline=extended(order.timeline, entry))


def _entry(
    event: Event,
    now_ms: int,
    *,
    status: OrderStatus,
    payment: PaymentStatus | None = None,
    payment_id: str | None = None,
    amount: Money | None = None,
    reason: str | None = None,
) -> TimelineEntry:
    return TimelineEntry(
        event.key,
        event.type,
        event.time_ms,
        event.received_ms,
        now_ms,
        announced=True,
        status=status,
        payment=payment,
        payment_id=payment_id,
        amount=amount,
        reason=reason,
    )
