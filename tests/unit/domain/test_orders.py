from typing import Any

import pytest

from hub.domain.decisions import Outcome
from hub.domain.orders import OrderStatus
from hub.domain.payments import MAX_PAYMENTS, PaymentStatus
from tests.shop import EUR_20, event, order_placed, order_placed_data
from tests.world import World


def world_with_order() -> World:
    world = World()
    world.tell(order_placed())
    return world


def pay(world: World, status: str, *, at_s: float = 0, payment_id: str = "p-1", version: int | None = None) -> Outcome:
    more: dict[str, Any] = {} if version is None else {"version": version}
    told = event(
        f"payment.{status}", at_s=at_s, order_id="A-1", payment_id=payment_id, amount=EUR_20, reason="declined", **more
    )
    return world.tell(told).outcome


def test_a_placed_order_knows_its_owner_and_what_it_is_about() -> None:
    order = world_with_order().order()

    assert (order.user, order.status, order.total.amount_minor) == ("mia", OrderStatus.PLACED, 5_998)
    assert (order.goods.item, order.goods.item_count, order.goods.other_items) == ("Blue shoe", 3, 1)
    assert [item.name for item in order.item_list] == ["Blue shoe", "Sock"]


def test_a_long_order_keeps_its_first_fifty_lines() -> None:
    data = order_placed_data()
    data["items"] *= 30
    world = World()
    world.tell(event("order.placed", **data))

    assert len(world.order().item_list) == 50
    assert world.order().goods.other_items == 59


def test_an_order_placed_twice_by_the_same_customer_is_announced_once() -> None:
    world = world_with_order()

    assert world.tell(order_placed()).outcome is Outcome.STALE


def test_a_higher_version_may_take_an_order_back() -> None:
    world = world_with_order()
    world.tell(event("order.cancelled", order_id="A-1", version=3))

    assert world.tell(event("order.confirmed", order_id="A-1", version=4)).outcome is Outcome.APPLIED
    assert world.tell(event("order.packed", order_id="A-1", version=2)).outcome is Outcome.STALE
    assert world.order().status is OrderStatus.CONFIRMED


@pytest.mark.parametrize("later", ["confirmed", "packed"])
def test_without_versions_a_cancelled_order_stays_cancelled(later: str) -> None:
    world = world_with_order()
    world.tell(event("order.cancelled", order_id="A-1"))

    assert world.tell(event(f"order.{later}", at_s=60, order_id="A-1")).outcome is Outcome.STALE


def test_versions_of_payments_and_of_orders_are_counted_apart() -> None:
    world = world_with_order()
    world.tell(event("order.packed", order_id="A-1", version=9))

    assert pay(world, "captured", version=1) is Outcome.APPLIED


def test_a_payment_may_fail_and_be_tried_again_and_each_failure_is_announced() -> None:
    world = world_with_order()

    outcomes = [
        pay(world, status, at_s=index) for index, status in enumerate(["failed", "failed", "authorized", "failed"])
    ]

    assert outcomes == [Outcome.APPLIED] * 4
    assert world.order().payment is PaymentStatus.FAILED


def test_a_failure_that_comes_after_the_success_that_followed_it_alarms_nobody() -> None:
    world = world_with_order()
    pay(world, "captured", at_s=5, payment_id="p-2")

    assert pay(world, "failed", at_s=4, payment_id="p-1") is Outcome.STALE
    assert world.order().payment is PaymentStatus.CAPTURED


def test_a_failure_after_a_success_of_another_payment_is_news() -> None:
    world = world_with_order()
    pay(world, "captured", at_s=5, payment_id="p-2")

    assert pay(world, "failed", at_s=6, payment_id="p-1") is Outcome.APPLIED


@pytest.mark.parametrize("late", ["authorized", "failed", "captured"])
def test_nothing_but_refunds_follows_a_capture(late: str) -> None:
    world = world_with_order()
    pay(world, "captured")

    assert pay(world, late, at_s=60) is Outcome.STALE


def test_several_refunds_of_one_payment_are_each_announced() -> None:
    world = world_with_order()

    assert [pay(world, "refunded"), pay(world, "refunded"), pay(world, "captured")] == [
        Outcome.APPLIED,
        Outcome.APPLIED,
        Outcome.STALE,
    ]
    assert world.order().payment is PaymentStatus.REFUNDED


def test_the_payments_of_an_order_are_bounded() -> None:
    world = world_with_order()
    for number in range(MAX_PAYMENTS + 5):
        pay(world, "failed", at_s=number, payment_id=f"p-{number}")

    assert len(world.order().payments) == MAX_PAYMENTS
    assert world.order().payments[0].id == "p-5"
