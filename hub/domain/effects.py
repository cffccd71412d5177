"""From an entry of a timeline to what people see of it: publications and notifications.

Everything comes from the entry and from what never changes about its order or shipment, so an event that is processed
again has the same effects, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from hub.domain import topics
from hub.domain.conditions import holds
from hub.domain.decisions import Precedent, Publication
from hub.domain.envelope import Event
from hub.domain.events import PriceChanged, StockReplenished
from hub.domain.ids import EventKey, NotificationId, Topic, UserId, effect_id
from hub.domain.money import Money
from hub.domain.notifications import Notification, Throttle
from hub.domain.orders import Goods, Order
from hub.domain.rules import Playbook, Rule
from hub.domain.sales import Sale, SaleEntry
from hub.domain.shipments import Shipment
from hub.domain.timeline import TimelineEntry
from hub.domain.topics import ANNOUNCEMENTS
from hub.domain.updates import OrderUpdate, PriceUpdate, ShipmentUpdate, StockUpdate

_STATE = "state"
"""Stands for the rule in the ids of publications."""
_encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode


def of_order(order: Order, entry: TimelineEntry) -> tuple[Publication, ...]:
    """Return what is published of an event of an order or its payment."""
    update = OrderUpdate(
        entry.type,
        entry.event,
        order.id,
        entry.status,
        entry.time_ms,
        payment=entry.payment,
        payment_id=entry.payment_id,
        amount=entry.amount,
        reason=entry.reason,
    )
    return (_publication(topics.order(order.id), entry.event, update, origin_ms=entry.received_ms),)


def of_shipment(shipment: Shipment, entry: TimelineEntry) -> tuple[Publication, ...]:
    """Return what is published of an event of a shipment: on its own topic, and on its order's where that is known."""
    update = ShipmentUpdate(
        entry.type,
        entry.event,
        shipment.id,
        shipment.order_id,
        entry.status,
        entry.time_ms,
        carrier=entry.carrier,
        eta=entry.eta_ms,
        attempt=entry.attempt,
        reason=entry.reason,
        signed_by=entry.signed_by,
        delivered_at=entry.delivered_ms,
    )
    topic = topics.shipment(shipment.id)
    own = _publication(topic, entry.event, update, rank=entry.rank, origin_ms=entry.received_ms)
    if not entry.with_order:
        return (own,)
    on_order = OrderUpdate(
        entry.type,
        entry.event,
        shipment.order_id,
        entry.status,
        entry.time_ms,
        reason=entry.reason,
        shipment_id=shipment.id,
        carrier=entry.carrier,
        eta=entry.eta_ms,
        attempt=entry.attempt,
    )
    order = _publication(topics.order(shipment.order_id), entry.event, on_order, origin_ms=entry.received_ms)
    return (own, order)


def of_sale(sale: Sale, entry: SaleEntry) -> tuple[Publication, ...]:
    """Return what is published of an event of a sale: to those who watch it, and to everybody connected."""
    return (
        _publication(topics.sale(sale.id), entry.event, entry.update, rank=entry.rank, origin_ms=entry.received_ms),
        _publication(ANNOUNCEMENTS, entry.event, entry.update, origin_ms=entry.received_ms),
    )


def of_price(event: Event, data: PriceChanged) -> tuple[Publication, ...]:
    """Return what is published of a new price; `version`, else the event's time, says which price is the newest."""
    update = PriceUpdate(event.type, event.key, data.product_id, data.old, data.new, event.time_ms, data.name)
    rank = event.time_ms if data.version is None else data.version
    return (_publication(topics.price(data.product_id), event.key, update, rank=rank, origin_ms=event.received_ms),)


def of_stock(event: Event, data: StockReplenished) -> tuple[Publication, ...]:
    """Return what is published of new stock, ordered as prices are."""
    update = StockUpdate(event.type, event.key, data.product_id, data.quantity, event.time_ms, data.name)
    rank = event.time_ms if data.version is None else data.version
    return (_publication(topics.stock(data.product_id), event.key, update, rank=rank, origin_ms=event.received_ms),)


def precedent(topic: Topic, entry: TimelineEntry) -> Precedent:
    """Return how to tell that all effects of an announced entry are written; `topic` is its order's or shipment's.

    The publications of a change are written after everything else that comes of it.
    """
    return Precedent(topic, effect_id(entry.event, topic, _STATE), entry.rank or None)


def _publication(
    topic: Topic, event: EventKey, update: object, *, rank: int | None = None, origin_ms: int
) -> Publication:
    return Publication(topic, effect_id(event, topic, _STATE), _encode(update), rank, origin_ms)


def order_context(order: Order, entry: TimelineEntry) -> dict[str, Any]:
    """Return what templates may show of an event of an order or its payment (`hub.domain.contexts`)."""
    context = {**_shared(entry), **_goods(order.goods), "order_id": order.id}
    if entry.payment_id is None:
        return {**context, "status": entry.status, "total": _money(order.total)}
    status = entry.type.removeprefix("payment.")
    return {**context, "status": status, "payment_id": entry.payment_id, "amount": _money(entry.amount)}


def shipment_context(shipment: Shipment, entry: TimelineEntry) -> dict[str, Any]:
    """Return what templates may show of an event of a shipment."""
    return {
        **_shared(entry),
        **_goods(shipment.goods if entry.with_order else None),
        "order_id": shipment.order_id,
        "shipment_id": shipment.id,
        "status": entry.status,
        "carrier": entry.carrier,
        "eta": entry.eta_ms,
        "attempt": entry.attempt,
        "signed_by": entry.signed_by,
        "delivered_at": entry.delivered_ms,
    }


def _shared(entry: TimelineEntry) -> dict[str, Any]:
    return {"reason": entry.reason, "time": entry.time_ms}


def _goods(goods: Goods | None) -> dict[str, Any]:
    if goods is None:
        return {"item": None, "item_count": None, "other_items": None}
    return {"item": goods.item, "item_count": goods.item_count, "other_items": goods.other_items}


def _money(money: Money | None) -> dict[str, Any] | None:
    return {"amount_minor": money.amount_minor, "currency": money.currency} if money is not None else None


def link_to_order(order_id: str) -> str:
    """Return the path of an order's page within the shop."""
    return f"/orders/{quote(order_id, safe='')}"


def notifications(
    entry: TimelineEntry,
    *,
    user: UserId,
    context: dict[str, Any],
    link: str,
    playbook: Playbook,
    correlation_id: str,
) -> tuple[Notification, ...]:
    """Return what the playbook tells the customer about an announced entry."""
    return tuple(
        _notification(rule, entry, user=user, context=context, link=link, correlation_id=correlation_id)
        for rule in playbook.rules_for(entry.type)
        if rule.enabled and all(holds(condition, context) for condition in rule.when)
    )


def _notification(
    rule: Rule, entry: TimelineEntry, *, user: UserId, context: dict[str, Any], link: str, correlation_id: str
) -> Notification:
    return Notification(
        id=NotificationId(effect_id(entry.event, user, rule.name)),
        user=user,
        rule=rule.name,
        event_type=entry.type,
        category=rule.category,
        lane=rule.lane,
        template=rule.template,
        context=context,
        created_ms=entry.applied_ms,
        ladder=rule.ladder,
        expires_ms=entry.applied_ms + rule.expires_s * 1_000 if rule.expires_s is not None else None,
        collapse_key=rule.collapse.format_map(context) if rule.collapse is not None else None,
        link=link,
        correlation_id=correlation_id,
        digest_s=rule.digest_s or 0,
        throttle=_throttle(rule.throttle, context),
    )


def _throttle(throttle: Throttle | None, context: dict[str, Any]) -> Throttle | None:
    return None if throttle is None else replace(throttle, key=throttle.key.format_map(context))
