"""Explains what an event would lead to, for `doorbell playbook explain`: what is sent to whom, and why not."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.domain import orders, shipments
from hub.domain.conditions import holds, look_up
from hub.domain.decisions import Document
from hub.domain.dispatch import ABSENT, Snapshot, decide
from hub.domain.durations import format_duration
from hub.domain.envelope import Event
from hub.domain.events import AnyOrder, AnyShipment, OrderPlaced, ShipmentCreated
from hub.domain.ids import EventKey, OrderId, UserId
from hub.domain.money import Money
from hub.domain.notifications import Notification
from hub.domain.orders import Goods, Order, OrderStatus
from hub.domain.rules import Playbook, Rule
from hub.domain.timeline import TimelineEntry

_SOMEBODY = UserId("somebody")


def imagined(event: Event) -> Snapshot:
    """Return a snapshot on which the event is the next to be expected: its order was placed, its shipment created.

    For explaining an event without asking the store what is really known.
    """
    match event.data:
        case OrderPlaced():
            return Snapshot()
        case AnyOrder(order_id=order_id, customer_id=customer):
            return Snapshot(_document(_order(event, order_id, customer or _SOMEBODY)))
        case AnyShipment(order_id=order_id, customer_id=customer):
            order = _order(event, order_id or OrderId("imagined"), customer or _SOMEBODY)
            if isinstance(event.data, ShipmentCreated):
                return Snapshot(ABSENT, _document(order))
            return Snapshot(_shipment(event, event.data, order), _document(order) if order_id else ABSENT)
        case _:
            return Snapshot()


def _order(event: Event, order_id: OrderId, user: UserId) -> Order:
    total = Money(amount_minor=5_998, currency="EUR")
    first = TimelineEntry(
        EventKey("imagined"), "order.placed", event.time_ms - 1, 0, 0, announced=True, status="placed"
    )
    return Order(
        id=order_id,
        user=user,
        status=OrderStatus.PLACED,
        standing=(0, 0),
        total=total,
        goods=Goods("Imagined item", 3, 1),
        placed_ms=first.time_ms,
        timeline=(first,),
    )


def _document(order: Order) -> Document:
    return Document(1, orders.encode_order(order))


def _shipment(event: Event, data: AnyShipment, order: Order) -> Document:
    begun = ShipmentCreated(shipment_id=data.shipment_id, order_id=order.id)
    created = Event(id="imagined", source="imagined", type="shipment.created", time_ms=event.time_ms - 1, data=begun)
    shipment = shipments.create(created, begun, order=order, now_ms=0)
    return Document(1, shipments.encode_shipment(shipment)) if isinstance(shipment, shipments.Shipment) else ABSENT


def explain(event: Event, snapshot: Snapshot, *, playbook: Playbook, now_ms: int, replay_window_ms: int) -> list[str]:
    """Return lines for an operator: what becomes of the event, what is published, and what each rule does about it."""
    decision = decide(event, snapshot, playbook=playbook, now_ms=now_ms, replay_window_ms=replay_window_ms)
    because = f" ({decision.reason})" if decision.reason else ""
    lines = [f"{event.type} {event.id} from {event.source}: {decision.outcome}{because}"]
    lines += [f"  publishes on {item.topic}: {item.data.decode()}" for item in decision.publications]
    if decision.erase is not None:
        lines.append(f"  erases everything about {decision.erase.user}")
    if not decision.publications:
        return [*lines, "  tells nobody"]
    rules = playbook.rules_for(event.type)
    if not rules:
        return [*lines, "  no rule for it: notifies nobody in person"]
    # What the rules see, be they switched off or their conditions false.
    always = Playbook(tuple(msgspec.structs.replace(rule, when=(), enabled=True) for rule in rules))
    all_decided = decide(event, snapshot, playbook=always, now_ms=now_ms, replay_window_ms=replay_window_ms)
    by_rule = {notification.rule: notification for notification in all_decided.notifications}
    return lines + [_rule_line(rule, by_rule[rule.name]) for rule in rules]


def _rule_line(rule: Rule, notification: Notification) -> str:
    why_not = _why_not(rule, notification.context)
    if why_not is not None:
        return f"  rule {rule.name} notifies nobody: {why_not}"
    expiry = "never expires" if rule.expires_s is None else f"expires after {format_duration(rule.expires_s)}"
    what = f"{rule.category}, {rule.lane}, template {rule.template}"
    bounds = f"{expiry}{_digest(rule)}{_throttle(notification)}"
    return f"  rule {rule.name} notifies {notification.user} ({what}): {_ladder(rule)}; {bounds}"


def _why_not(rule: Rule, context: dict[str, Any]) -> str | None:
    if not rule.enabled:
        return "it is switched off"
    for condition in rule.when:
        if not holds(condition, context):
            actual = msgspec.json.encode(look_up(condition.path, context)).decode()
            return f"`{condition.text}` does not hold, {'.'.join(condition.path)} is {actual}"
    return None


def _ladder(rule: Rule) -> str:
    steps = [f"{step.channel} after {format_duration(step.after_s)}" for step in rule.ladder]
    return ", then while unseen ".join(["inbox at once", *steps])


def _digest(rule: Rule) -> str:
    if rule.digest_s is None or not rule.ladder:
        return ""
    return f"; beyond the inbox gathered with others of {rule.category} for {format_duration(rule.digest_s)}"


def _throttle(notification: Notification) -> str:
    throttle = notification.throttle
    if throttle is None:
        return ""
    return f"; beyond the inbox at most {throttle.count} of {throttle.key} in {format_duration(throttle.window_s)}"
