from typing import Any

import pytest

from hub.domain.decisions import Outcome
from hub.domain.envelope import unix_ms
from hub.domain.events import ShipmentDelayed
from hub.domain.shipments import ShipmentStatus
from tests.shop import event, order_placed, shipment_created
from tests.world import World

TOMORROW, LATER = "2026-01-02T10:00:00Z", "2026-01-03T10:00:00Z"


def world_with_shipment(**more: Any) -> World:
    world = World()
    world.tell(order_placed())
    world.tell(shipment_created(**more))
    return world


def ship(world: World, kind: str, *, at_s: float = 0, **more: Any) -> Outcome:
    return world.tell(event(f"shipment.{kind}", at_s=at_s, shipment_id="S-1", **more)).outcome


def test_a_shipment_belongs_to_the_owner_of_its_order() -> None:
    assert world_with_shipment().shipment().user == "mia"


def test_a_failed_attempt_may_go_out_again_counted_by_attempt() -> None:
    world = world_with_shipment()
    outcomes = [
        ship(world, "out_for_delivery", at_s=9, attempt=1),
        ship(world, "failed", at_s=2, attempt=1, reason="nobody home"),
        ship(world, "out_for_delivery", at_s=1, attempt=2),
        ship(world, "out_for_delivery", at_s=99, attempt=1),
    ]

    assert outcomes == [Outcome.APPLIED, Outcome.APPLIED, Outcome.APPLIED, Outcome.STALE]
    assert world.shipment().attempt == 2


def test_a_failed_attempt_may_go_out_again_later_where_nobody_counts() -> None:
    world = world_with_shipment()
    outcomes = [
        ship(world, "out_for_delivery", at_s=1),
        ship(world, "failed", at_s=2, reason="nobody home"),
        ship(world, "out_for_delivery", at_s=3),
        ship(world, "failed", at_s=2.5, reason="nobody home"),
    ]

    assert outcomes == [Outcome.APPLIED, Outcome.APPLIED, Outcome.APPLIED, Outcome.STALE]
    assert world.shipment().status is ShipmentStatus.OUT_FOR_DELIVERY


@pytest.mark.parametrize("late", ["dispatched", "out_for_delivery", "failed", "delayed", "rescheduled"])
def test_nothing_is_on_its_way_after_delivery_whatever_the_version_and_the_clock_say(late: str) -> None:
    world = world_with_shipment()
    ship(world, "delivered", version=1)

    assert ship(world, late, at_s=60, version=99, new_eta=LATER, reason="traffic") is Outcome.STALE
    assert world.shipment().status is ShipmentStatus.DELIVERED


def test_a_delivered_shipment_may_come_back() -> None:
    world = world_with_shipment()

    assert [ship(world, kind) for kind in ("delivered", "returned", "delivered")] == [
        Outcome.APPLIED,
        Outcome.APPLIED,
        Outcome.STALE,
    ]


def test_an_older_version_is_stale_although_its_state_is_further() -> None:
    world = world_with_shipment()
    ship(world, "dispatched", version=5)

    assert ship(world, "out_for_delivery", at_s=60, version=3) is Outcome.STALE


def test_the_newest_word_on_the_arrival_counts_even_from_a_stale_event() -> None:
    world = world_with_shipment(eta=TOMORROW)
    ship(world, "out_for_delivery", at_s=5)

    assert ship(world, "dispatched", at_s=4, eta=LATER) is Outcome.STALE
    expected = event("shipment.delayed", shipment_id="S-1", new_eta=LATER).data
    assert isinstance(expected, ShipmentDelayed)
    assert world.shipment().eta_ms == unix_ms(expected.new_eta)


def test_an_older_delay_is_not_announced_after_a_newer_one() -> None:
    world = world_with_shipment()

    assert ship(world, "delayed", at_s=2, new_eta=LATER) is Outcome.APPLIED
    assert ship(world, "delayed", at_s=1, new_eta=TOMORROW) is Outcome.STALE


def test_a_delay_from_before_the_courier_set_out_is_not_announced() -> None:
    world = world_with_shipment()
    ship(world, "out_for_delivery", at_s=5)

    assert ship(world, "delayed", at_s=4, new_eta=LATER) is Outcome.STALE
    assert ship(world, "delayed", at_s=6, new_eta=LATER) is Outcome.APPLIED


def test_the_first_named_carrier_stays() -> None:
    world = world_with_shipment()
    ship(world, "dispatched", carrier="Swift Parcel")
    ship(world, "out_for_delivery", carrier="Another")

    assert world.shipment().carrier == "Swift Parcel"
