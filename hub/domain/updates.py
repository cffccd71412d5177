"""What goes out on topics: one struct per kind of message. All instants are Unix ms; what is not known is left out.

`event` is the key of the event behind the message, the same as in an order's timeline.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hub.domain.ids import EventKey, OrderId, ProductId, SaleId, ShipmentId
from hub.domain.money import Money


class OrderUpdate(msgspec.Struct, frozen=True, omit_defaults=True):
    """On `order:<id>`: an event of the order, of its payment or of one of its shipments.

    `status` is that of what `type` is about: of the shipment for `shipment.*` (then `shipment_id` is there), else of
    the order. `payment` is how the order's payment stands.
    """

    type: str
    event: EventKey
    order_id: OrderId
    status: str
    time: int
    payment: str | None = None
    payment_id: str | None = None
    amount: Money | None = None
    reason: str | None = None
    shipment_id: ShipmentId | None = None
    carrier: str | None = None
    eta: int | None = None
    attempt: int | None = None


class ShipmentUpdate(msgspec.Struct, frozen=True, omit_defaults=True):
    """On `shipment:<id>`: how the shipment stands. The newest replaces the ones before."""

    type: str
    event: EventKey
    shipment_id: ShipmentId
    order_id: OrderId
    status: str
    time: int
    carrier: str | None = None
    eta: int | None = None
    attempt: int | None = None
    reason: str | None = None
    signed_by: str | None = None
    delivered_at: int | None = None


class PriceUpdate(msgspec.Struct, frozen=True, omit_defaults=True):
    """On `price:<product>`: what it costs now."""

    type: str
    event: EventKey
    product_id: ProductId
    old: Money
    new: Money
    time: int
    name: str | None = None


class StockUpdate(msgspec.Struct, frozen=True, omit_defaults=True):
    """On `stock:<product>`: it can be bought again."""

    type: str
    event: EventKey
    product_id: ProductId
    quantity: int
    time: int
    name: str | None = None


class SaleUpdate(msgspec.Struct, frozen=True, omit_defaults=True):
    """On `sale:<id>` and on `announcements`: how a sale stands, with the offer itself, so that nobody must fetch it."""

    type: str
    event: EventKey
    sale_id: SaleId
    status: str
    time: int
    title: str | None = None
    starts_at: int | None = None
    ends_at: int | None = None
    offer: dict[str, Any] | None = None
    reason: str | None = None
