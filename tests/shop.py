"""Events of a made-up shop, for tests: `order_placed()`, `event("order.packed", order_id="A-1")`."""

import json
from itertools import count
from typing import Any

from hub.domain.cloudevents import decode_structured
from hub.domain.envelope import Event, instant

NOON_MS = 1_767_268_800_000
"""2026-01-01T12:00:00Z: the shop's `now`."""
EUR_20 = {"amount_minor": 2_000, "currency": "EUR"}
_ids = count(1)


def envelope(event_type: str, payload: dict[str, Any], /, **attributes: Any) -> dict[str, Any]:
    """Return a CloudEvent in structured mode; `attributes` replace the default ones, None removes one."""
    event = {
        "specversion": "1.0",
        "id": f"e-{next(_ids)}",
        "source": "/shop/tests",
        "type": event_type,
        "time": instant(NOON_MS).isoformat(),
        "datacontenttype": "application/json",
        "data": payload,
        **attributes,
    }
    return {name: value for name, value in event.items() if value is not None}


def encoded(event_type: str, payload: dict[str, Any], /, **attributes: Any) -> bytes:
    """Return `envelope` as JSON."""
    return json.dumps(envelope(event_type, payload, **attributes)).encode()


def event(event_type: str, *, at_s: float = 0, id: str | None = None, **data: Any) -> Event:  # noqa: A002 - as in the envelope
    """Return a decoded event that happened `at_s` seconds after noon and is received at once."""
    time_ms = NOON_MS + round(at_s * 1_000)
    attributes = {"time": instant(time_ms).isoformat()} | ({"id": id} if id else {})
    decoded = decode_structured(encoded(event_type, data, **attributes), received_ms=time_ms)
    assert isinstance(decoded, Event)
    return decoded


def order_placed_data(order_id: str = "A-1", customer_id: str = "mia") -> dict[str, Any]:
    """Return the payload of an order of two lines and three pieces."""
    return {
        "order_id": order_id,
        "customer_id": customer_id,
        "total": {"amount_minor": 5_998, "currency": "EUR"},
        "items": [
            {"product_id": "shoe", "name": "Blue shoe", "quantity": 2, "price": EUR_20},
            {"product_id": "sock", "name": "Sock", "quantity": 1, "price": {"amount_minor": 1_998, "currency": "EUR"}},
        ],
    }


def order_placed(order_id: str = "A-1", customer_id: str = "mia", **more: Any) -> Event:
    """Return the event that begins an order."""
    return event("order.placed", **{**order_placed_data(order_id, customer_id), **more})


def shipment_created(shipment_id: str = "S-1", order_id: str = "A-1", **more: Any) -> Event:
    """Return the event that begins a shipment."""
    return event("shipment.created", shipment_id=shipment_id, order_id=order_id, **more)
