"""What templates may show: the variables of each family of events, and the templates of the default playbook.

A notification's `context` always has all variables of its family; None where nothing is known. Values are JSON: money
is `{"amount_minor": 1999, "currency": "EUR"}`, an instant is Unix ms; templates format both for the reader's locale.
The service adds the person's `name` when it renders.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hub.domain.ids import TemplateName


class Variable(msgspec.Struct, frozen=True):
    """One variable of a context, with a sample value that playbook checks and template tests render with."""

    name: str
    meaning: str
    sample: Any


_SAMPLE_TIME_MS = 1_767_261_600_000
_SAMPLE_MONEY = {"amount_minor": 5998, "currency": "EUR"}

_ORDER_ID = Variable("order_id", "the order's id; None for a shipment whose order is not known", "A-1001")
_TIME = Variable("time", "when it happened, Unix ms", _SAMPLE_TIME_MS)
_REASON = Variable("reason", "why, in the backend's words, or None", "no longer needed")
_GOODS = (
    Variable("item", "name of the order's first item; None where the order is not known", "Blue shoe"),
    Variable("item_count", "pieces in the order, all quantities added up", 3),
    Variable("other_items", "lines of the order besides the first", 1),
)

FAMILIES: dict[str, tuple[Variable, ...]] = {
    "order": (
        _ORDER_ID,
        *_GOODS,
        Variable("total", "the order's total", _SAMPLE_MONEY),
        Variable("status", "placed, confirmed, packed, cancelled or returned", "packed"),
        _REASON,
        _TIME,
    ),
    "payment": (
        _ORDER_ID,
        *_GOODS,
        Variable("payment_id", "the payment's id", "pay-77"),
        Variable("amount", "the amount of this payment, failure or refund", _SAMPLE_MONEY),
        Variable("status", "authorized, captured, failed or refunded", "captured"),
        _REASON,
        _TIME,
    ),
    "shipment": (
        _ORDER_ID,
        *_GOODS,
        Variable("shipment_id", "the shipment's id", "S-2001"),
        Variable("status", "created, dispatched, out_for_delivery, delivered, failed or returned", "out_for_delivery"),
        Variable("carrier", "name of the carrier or None", "Swift Parcel"),
        Variable("eta", "expected arrival, Unix ms, or None", _SAMPLE_TIME_MS + 7_200_000),
        Variable("attempt", "which attempt to deliver, from 1, or None", 1),
        Variable("signed_by", "who took the parcel, or None", "M. Weber"),
        Variable("delivered_at", "when it was handed over, Unix ms, or None", _SAMPLE_TIME_MS + 6_000_000),
        _REASON,
        _TIME,
    ),
}
"""The variables by the first label of the event's type. The other families make no notifications."""

TEMPLATES: dict[TemplateName, str] = {
    TemplateName(event_type.replace(".", "-").replace("_", "-")): event_type
    for event_type in (
        "order.placed",
        "order.confirmed",
        "order.packed",
        "order.cancelled",
        "order.returned",
        "payment.authorized",
        "payment.captured",
        "payment.failed",
        "payment.refunded",
        "shipment.created",
        "shipment.dispatched",
        "shipment.out_for_delivery",
        "shipment.delayed",
        "shipment.rescheduled",
        "shipment.delivered",
        "shipment.failed",
        "shipment.returned",
    )
}
"""The templates that the default playbook names (`order-placed`, …) and the type of event each is for."""


def variables_of(event_type: str) -> tuple[Variable, ...]:
    """Return the variables of the context that `event_type` makes; none where it makes no notification."""
    return FAMILIES.get(event_type.partition(".")[0], ())


def sample_context(event_type: str) -> dict[str, Any]:
    """Return a complete context with sample values."""
    return {variable.name: variable.sample for variable in variables_of(event_type)}
