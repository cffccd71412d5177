from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from hub.domain import orders, shipments
from hub.domain.decisions import Aggregate, AggregateKind, Document
from hub.domain.envelope import Event
from hub.domain.events import PAYLOADS
from hub.domain.ids import OrderId, ShipmentId, UserId
from hub.domain.orders import Order, encode_order
from hub.domain.permission import Identity, Role
from hub.domain.shipments import Shipment, encode_shipment
from hub.service.failures import Failure, OperationFailed
from hub.service.operations import Call
from hub.service.person.orders import GetOrder, Orders, OrderView

PRICE = {"amount_minor": 1_299, "currency": "EUR"}
ITEMS = [{"product_id": "p-1", "name": "Kettle", "quantity": 2, "price": PRICE}]


def event(event_type: str, time_ms: int, **data: Any) -> Event:
    payload: Any = msgspec.convert(data, PAYLOADS[event_type])
    return Event(id=f"{event_type}-{time_ms}", source="/shop", type=event_type, time_ms=time_ms, data=payload)


def advanced(order: Order, event_type: str, time_ms: int, **data: Any) -> Order:
    moved = event(event_type, time_ms, order_id="A-1", **data)
    result = orders.advance(order, moved, moved.data, now_ms=time_ms)  # type: ignore[arg-type]
    assert isinstance(result, Order)
    return result


def placed_order() -> Order:
    first = event("order.placed", 1_000, order_id="A-1", customer_id="u-1", total=PRICE, items=ITEMS)
    return orders.place(first, first.data, now_ms=1_000)  # type: ignore[arg-type]


def shipment(order: Order | None, user: str = "u-1") -> Shipment:
    created = event("shipment.created", 3_000, order_id="A-1", shipment_id="S-1", customer_id=user, carrier="Post")
    made = shipments.create(created, created.data, order=order, now_ms=3_000)  # type: ignore[arg-type]
    assert isinstance(made, Shipment)
    return made


class FakeDocuments:
    """Holds one order and its shipments."""

    def __init__(self, order: Order | None, found: Sequence[Shipment] = ()) -> None:
        self.documents = {Aggregate(AggregateKind.SHIPMENT, item.id): encode_shipment(item) for item in found}
        if order is not None:
            self.documents[Aggregate(AggregateKind.ORDER, order.id)] = encode_order(order)

    async def read_many(self, aggregates: Sequence[Aggregate], /) -> Sequence[Document]:
        bodies = [self.documents.get(aggregate) for aggregate in aggregates]
        return [Document(0, b"") if body is None else Document(1, body) for body in bodies]

    async def shipments_of(self, order: OrderId, /) -> Sequence[ShipmentId]:
        named = (ShipmentId(aggregate.id) for aggregate in self.documents if aggregate.kind is AggregateKind.SHIPMENT)
        return [*named, ShipmentId("gone")]


async def get(documents: FakeDocuments, user: str = "u-1", role: Role = Role.SHOPPER) -> OrderView:
    call = Call(Identity(UserId(user), role), now_ms=9_000)
    return await Orders(documents).get(call, GetOrder("A-1"))


async def test_the_timeline_merges_the_order_its_payment_and_its_shipments_by_time() -> None:
    order = advanced(placed_order(), "payment.captured", 2_000, payment_id="pay-1", amount=PRICE)
    order = advanced(order, "order.packed", 4_000)
    view = await get(FakeDocuments(order, [shipment(order)]))
    assert [entry.type for entry in view.timeline] == [
        "order.placed",
        "payment.captured",
        "shipment.created",
        "order.packed",
    ]
    assert (view.status, view.payment, view.items[0].name) == ("packed", "captured", "Kettle")
    assert [(item.shipment_id, item.status, item.carrier) for item in view.shipments] == [("S-1", "created", "Post")]


async def test_what_came_too_late_is_not_in_the_timeline() -> None:
    order = advanced(advanced(placed_order(), "order.packed", 4_000), "order.confirmed", 2_000)
    view = await get(FakeDocuments(order))
    assert [entry.type for entry in view.timeline] == ["order.placed", "order.packed"]


async def test_a_shipment_known_before_its_order_is_part_of_the_story() -> None:
    view = await get(FakeDocuments(placed_order(), [shipment(None)]))
    assert view.timeline[-1].shipment_id == "S-1"


async def test_a_shipment_that_says_it_is_somebody_elses_is_not_shown() -> None:
    view = await get(FakeDocuments(placed_order(), [shipment(None, user="u-2")]))
    assert view.shipments == ()
    assert [entry.type for entry in view.timeline] == ["order.placed"]


@pytest.mark.parametrize("role", [Role.AGENT, Role.ADMIN, Role.SERVICE])
async def test_staff_see_every_order(role: Role) -> None:
    assert (await get(FakeDocuments(placed_order()), user="x", role=role)).user == "u-1"


@pytest.mark.parametrize("role", [Role.SHOPPER, Role.COURIER])
async def test_an_order_of_somebody_else_looks_like_none_at_all(role: Role) -> None:
    failures = []
    for documents in (FakeDocuments(placed_order()), FakeDocuments(None)):
        with pytest.raises(OperationFailed) as caught:
            await get(documents, user="u-2", role=role)
        failures.append((caught.value.failure, caught.value.detail))
    assert failures[0] == failures[1]
    assert failures[0][0] is Failure.NOT_FOUND
