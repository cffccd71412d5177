"""`orders.get`: an order with everything that has happened to it and to its shipments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from hub.domain import effects
from hub.domain.decisions import Aggregate, AggregateKind, Document
from hub.domain.events import ID_PATTERN, Item
from hub.domain.ids import OrderId, ShipmentId, UserId
from hub.domain.money import Money
from hub.domain.orders import Order, OrderStatus, decode_order
from hub.domain.payments import PaymentStatus
from hub.domain.permission import Identity, Role
from hub.domain.shipments import Shipment, ShipmentStatus, decode_shipment
from hub.domain.updates import OrderUpdate
from hub.service.failures import Failure, OperationFailed
from hub.service.operations import AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate

MAX_SHIPMENTS = 50
_READERS = frozenset({Role.SHOPPER, Role.AGENT, Role.ADMIN, Role.SERVICE})


class Documents(Protocol):
    """Reads aggregates (hub.store.documents). Every method raises StoreUnavailable."""

    async def read_many(self, aggregates: Sequence[Aggregate], /) -> Sequence[Document]:
        """Return a document for each, version 0 where there is none."""
        ...

    async def shipments_of(self, order: OrderId, /) -> Sequence[ShipmentId]:
        """Return the shipments of an order."""
        ...


class GetOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which order."""

    order_id: Annotated[str, Meta(pattern=ID_PATTERN)]


class ShipmentView(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one shipment of the order stands. Times are Unix ms."""

    shipment_id: ShipmentId
    status: ShipmentStatus
    status_ms: int
    carrier: str | None = None
    eta_ms: int | None = None
    attempt: int | None = None


class OrderView(msgspec.Struct, frozen=True, omit_defaults=True):
    """An order as its owner sees it. Times are Unix ms.

    `timeline` has what was published on `order:<id>`, in the order of the events' own time.
    """

    order_id: OrderId
    user: UserId
    status: OrderStatus
    total: Money
    placed_ms: int
    items: tuple[Item, ...]
    """The first 50 lines."""
    shipments: tuple[ShipmentView, ...]
    timeline: tuple[OrderUpdate, ...]
    payment: PaymentStatus | None = None


class Orders:
    """Shows orders to those who may see them."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def get(self, call: Call, request: GetOrder) -> OrderView:
        """Return one order.

        Raises OperationFailed (NOT_FOUND, also for the order of somebody else, so that nobody learns which exist),
        StoreUnavailable.
        """
        order_id = OrderId(request.order_id)
        (document,) = await self._documents.read_many([Aggregate(AggregateKind.ORDER, order_id)])
        order = decode_order(document.body) if document.version else None
        if order is None or not _may_see(call.who, order):
            raise OperationFailed(Failure.NOT_FOUND, f"there is no order {order_id} of yours")
        return _view(order, await self._shipments(order))

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what can be asked for here."""
        get: Operation[GetOrder, OrderView] = Operation(
            name="orders.get",
            summary="Show one order with its payment, its shipments and all that has happened.",
            request=GetOrder,
            response=OrderView,
            roles=_READERS,
            http=Http("GET", "/v1/orders/{order_id}"),
            handler=self.get,
            rate=Rate(count=240, window_s=60.0),
            repeat=Repeat.READS,
            errors=(Failure.NOT_FOUND,),
        )
        return (get,)

    async def _shipments(self, order: Order) -> list[Shipment]:
        ids = (await self._documents.shipments_of(order.id))[:MAX_SHIPMENTS]
        documents = await self._documents.read_many([Aggregate(AggregateKind.SHIPMENT, name) for name in ids])
        found = [decode_shipment(document.body) for document in documents if document.version]
        # A link may be older than what contradicted it: the shipment itself says whose it is.
        return [shipment for shipment in found if shipment.order_id == order.id and shipment.user == order.user]


def _may_see(who: Identity, order: Order) -> bool:
    return order.user == who.user if who.role is Role.SHOPPER else who.role in _READERS


def _view(order: Order, shipments: Sequence[Shipment]) -> OrderView:
    updates = [*_order_updates(order), *(update for shipment in shipments for update in _shipment_updates(shipment))]
    return OrderView(
        order_id=order.id,
        user=order.user,
        status=order.status,
        total=order.total,
        placed_ms=order.placed_ms,
        items=order.item_list,
        shipments=tuple(map(_shipment_view, shipments)),
        timeline=tuple(sorted(updates, key=lambda update: update.time)),
        payment=order.payment,
    )


def _shipment_view(shipment: Shipment) -> ShipmentView:
    return ShipmentView(
        shipment.id, shipment.status, shipment.status_ms, shipment.carrier, shipment.eta_ms, shipment.attempt
    )


def _order_updates(order: Order) -> Iterator[OrderUpdate]:
    for entry in order.timeline:
        if entry.announced:
            (publication,) = effects.of_order(order, entry)
            yield _update(publication.data)


def _shipment_updates(shipment: Shipment) -> Iterator[OrderUpdate]:
    for entry in shipment.timeline:
        if entry.announced:
            # What came before the order was known was not published on its topic, but it is part of its story.
            (_, on_order) = effects.of_shipment(shipment, msgspec.structs.replace(entry, with_order=True))
            yield _update(on_order.data)


def _update(data: bytes) -> OrderUpdate:
    return msgspec.json.decode(data, type=OrderUpdate)
