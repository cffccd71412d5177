"""What each type of event carries in `data`. Unknown fields are ignored; `docs/reference/events.md` explains them all.

Every `order.*`, `payment.*`, `shipment.*` and `user.*` payload, and those of prices and sales, may carry a `version`:
the number that the backend counts up with every change of that aggregate. Where there is one it orders the events of
the aggregate; without it the rank of the state and the event's time do.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hub.domain.channels import ChannelName
from hub.domain.ids import OrderId, ProductId, SaleId, ShipmentId, UserId
from hub.domain.money import Money

ID_PATTERN = r"^[^\s\x00-\x1f\x7f{}]{1,128}\Z"
"""Ids become parts of topics and keys: 1-128 characters, no white space, control characters or braces."""
EMAIL_PATTERN = r"^[^@\s\x00-\x1f\x7f<>,;]{1,64}@[^@\s\x00-\x1f\x7f<>,;]{1,189}\Z"
PHONE_PATTERN = r"^\+[1-9][0-9]{6,14}\Z"
LOCALE_PATTERN = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}\Z"
TIME_ZONE_PATTERN = r"^[A-Za-z][A-Za-z0-9_+-]{0,31}(/[A-Za-z0-9_+-]{1,31}){0,2}\Z"
MAX_VERSION = 2**53 - 1
MAX_ITEMS = 500

Order = Annotated[OrderId, Meta(pattern=ID_PATTERN)]
Shipment = Annotated[ShipmentId, Meta(pattern=ID_PATTERN)]
Product = Annotated[ProductId, Meta(pattern=ID_PATTERN)]
SaleName = Annotated[SaleId, Meta(pattern=ID_PATTERN)]
User = Annotated[UserId, Meta(pattern=ID_PATTERN)]
Name = Annotated[str, Meta(pattern=ID_PATTERN)]
"""An id that is no topic: a payment's, a category's."""
Instant = Annotated[datetime, Meta(tz=True)]
"""RFC 3339 with an offset."""
Version = Annotated[int, Meta(ge=0, le=MAX_VERSION)]
Text = Annotated[str, Meta(min_length=1, max_length=500)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Attempt = Annotated[int, Meta(ge=1, le=1_000)]
Email = Annotated[str, Meta(pattern=EMAIL_PATTERN)]
Phone = Annotated[str, Meta(pattern=PHONE_PATTERN)]
Locale = Annotated[str, Meta(pattern=LOCALE_PATTERN)]
TimeZone = Annotated[str, Meta(pattern=TIME_ZONE_PATTERN)]


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of an order. `price` is that of one piece."""

    product_id: Product
    name: Text
    quantity: Count
    price: Money


class AnyPayload(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What all payloads share."""

    version: Version | None = None


class AnyOrder(AnyPayload, frozen=True, omit_defaults=True, kw_only=True):
    """What `order.*` and `payment.*` share."""

    order_id: Order
    customer_id: User | None = None
    """Who the order belongs to. Contradicting what `order.placed` said makes the event a dead letter."""


class OrderPlaced(AnyOrder, frozen=True, omit_defaults=True, kw_only=True):
    """`order.placed`: a new order. Nothing else about the order is told to anybody before it."""

    customer_id: User
    total: Money
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=MAX_ITEMS)]


class OrderConfirmed(AnyOrder, frozen=True, omit_defaults=True, kw_only=True):
    """`order.confirmed`: the shop has taken the order on."""


class OrderPacked(AnyOrder, frozen=True, omit_defaults=True, kw_only=True):
    """`order.packed`: ready for the carrier."""


class OrderCancelled(AnyOrder, frozen=True, omit_defaults=True, kw_only=True):
    """`order.cancelled`: by the customer or the shop."""

    reason: Text | None = None


class OrderReturned(AnyOrder, frozen=True, omit_defaults=True, kw_only=True):
    """`order.returned`: the goods are back in the shop's hands."""

    reason: Text | None = None


class AnyPayment(AnyOrder, frozen=True, omit_defaults=True, kw_only=True):
    """What `payment.*` share."""

    payment_id: Name
    amount: Money


class PaymentAuthorized(AnyPayment, frozen=True, omit_defaults=True, kw_only=True):
    """`payment.authorized`: the money is reserved."""


class PaymentCaptured(AnyPayment, frozen=True, omit_defaults=True, kw_only=True):
    """`payment.captured`: the money has been taken."""


class PaymentFailed(AnyPayment, frozen=True, omit_defaults=True, kw_only=True):
    """`payment.failed`: an attempt to reserve or take the money failed."""

    reason: Text


class PaymentRefunded(AnyPayment, frozen=True, omit_defaults=True, kw_only=True):
    """`payment.refunded`: `amount` went back. There may be several for one payment."""

    reason: Text | None = None


class AnyShipment(AnyPayload, frozen=True, omit_defaults=True, kw_only=True):
    """What `shipment.*` share."""

    shipment_id: Shipment
    order_id: Order | None = None
    customer_id: User | None = None
    carrier: Text | None = None
    eta: Instant | None = None


class ShipmentCreated(AnyShipment, frozen=True, omit_defaults=True, kw_only=True):
    """`shipment.created`: first of its shipment. Its owner is `customer_id`, or else the owner of the order."""

    order_id: Order


class ShipmentDispatched(AnyShipment, frozen=True, omit_defaults=True, kw_only=True):
    """`shipment.dispatched`: the carrier has it."""


class ShipmentOutForDelivery(AnyShipment, frozen=True, omit_defaults=True, kw_only=True):
    """`shipment.out_for_delivery`: with the courier. `attempt` counts from 1."""

    attempt: Attempt | None = None


class ShipmentDelayed(AnyShipment, frozen=True, omit_defaults=True, kw_only=True):
    """`shipment.delayed`: it will come later than said."""

    new_eta: Instant
    reason: Text | None = None


class ShipmentRescheduled(AnyShipment, frozen=True, omit_defaults=True, kw_only=True):
    """`shipment.rescheduled`: another date was agreed."""

    new_eta: Instant
    reason: Text | None = None


class ShipmentDelivered(AnyShipment, frozen=True, omit_defaults=True, kw_only=True):
    """`shipment.delivered`. Nothing but a return follows."""

    delivered_at: Instant | None = None
    signed_by: Text | None = None


class ShipmentFailed(AnyShipment, frozen=True, omit_defaults=True, kw_only=True):
    """`shipment.failed`: an attempt to deliver failed; it may go out again. `attempt` says which."""

    reason: Text
    attempt: Attempt | None = None


class ShipmentReturned(AnyShipment, frozen=True, omit_defaults=True, kw_only=True):
    """`shipment.returned`: on its way back, or back, at the sender."""

    reason: Text | None = None


class PriceChanged(AnyPayload, frozen=True, omit_defaults=True, kw_only=True):
    """`price.changed`."""

    product_id: Product
    old: Money
    new: Money
    name: Text | None = None


class StockReplenished(AnyPayload, frozen=True, omit_defaults=True, kw_only=True):
    """`stock.replenished`: `quantity` pieces can be bought again."""

    product_id: Product
    quantity: Count
    name: Text | None = None


class AnySale(AnyPayload, frozen=True, omit_defaults=True, kw_only=True):
    """What `sale.*` share."""

    sale_id: SaleName
    title: Text | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    offer: dict[str, Any] | None = None
    """What the sale offers, as JSON for the apps: at most 16 KiB, because it is sent to everybody connected."""


class SaleScheduled(AnySale, frozen=True, omit_defaults=True, kw_only=True):
    """`sale.scheduled`: announced, or moved, or its offer changed."""

    title: Text
    starts_at: Instant
    ends_at: Instant


class SaleStarted(AnySale, frozen=True, omit_defaults=True, kw_only=True):
    """`sale.started`. May be the first that is heard of the sale."""

    title: Text
    ends_at: Instant


class SaleEnded(AnySale, frozen=True, omit_defaults=True, kw_only=True):
    """`sale.ended`."""


class SaleCancelled(AnySale, frozen=True, omit_defaults=True, kw_only=True):
    """`sale.cancelled`: before or during the sale."""

    reason: Text | None = None


class Consent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether a person wants marketing on one channel, and since when and how that is known."""

    granted: bool
    at: Instant | None = None
    """When the person said so."""
    source: Text | None = None
    """Where they did: `checkout`, `settings page`."""
    wording: Text | None = None
    """Which version of the wording they agreed to."""


class UserUpdated(AnyPayload, frozen=True, omit_defaults=True, kw_only=True):
    """`user.updated`: a field that is left out stays as it was, null removes it. `consent` is by channel."""

    user_id: User
    email: Email | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET
    name: Text | UnsetType | None = UNSET
    locale: Locale | UnsetType | None = UNSET
    time_zone: TimeZone | UnsetType | None = UNSET
    consent: dict[ChannelName, Consent] | UnsetType = UNSET


class UserErased(AnyPayload, frozen=True, omit_defaults=True, kw_only=True):
    """`user.erased`: everything kept about the person goes."""

    user_id: User


OrderEvent = OrderPlaced | OrderConfirmed | OrderPacked | OrderCancelled | OrderReturned
PaymentEvent = PaymentAuthorized | PaymentCaptured | PaymentFailed | PaymentRefunded
ShipmentEvent = (
    ShipmentCreated
    | ShipmentDispatched
    | ShipmentOutForDelivery
    | ShipmentDelayed
    | ShipmentRescheduled
    | ShipmentDelivered
    | ShipmentFailed
    | ShipmentReturned
)
SaleEvent = SaleScheduled | SaleStarted | SaleEnded | SaleCancelled
Payload = (
    OrderEvent | PaymentEvent | ShipmentEvent | SaleEvent | PriceChanged | StockReplenished | UserUpdated | UserErased
)

PAYLOADS: dict[str, type[Payload]] = {
    "order.placed": OrderPlaced,
    "order.confirmed": OrderConfirmed,
    "order.packed": OrderPacked,
    "order.cancelled": OrderCancelled,
    "order.returned": OrderReturned,
    "payment.authorized": PaymentAuthorized,
    "payment.captured": PaymentCaptured,
    "payment.failed": PaymentFailed,
    "payment.refunded": PaymentRefunded,
    "shipment.created": ShipmentCreated,
    "shipment.dispatched": ShipmentDispatched,
    "shipment.out_for_delivery": ShipmentOutForDelivery,
    "shipment.delayed": ShipmentDelayed,
    "shipment.rescheduled": ShipmentRescheduled,
    "shipment.delivered": ShipmentDelivered,
    "shipment.failed": ShipmentFailed,
    "shipment.returned": ShipmentReturned,
    "price.changed": PriceChanged,
    "stock.replenished": StockReplenished,
    "sale.scheduled": SaleScheduled,
    "sale.started": SaleStarted,
    "sale.ended": SaleEnded,
    "sale.cancelled": SaleCancelled,
    "user.updated": UserUpdated,
    "user.erased": UserErased,
}
"""The payload of each type of event."""
