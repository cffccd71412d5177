import msgspec
import pytest

from hub.domain.channels import EMAIL, PUSH, SMS
from hub.domain.contexts import variables_of
from hub.domain.decisions import Aggregate, AggregateKind, Decision, Erase, Link, Outcome, Precedent
from hub.domain.dispatch import Touch, made_up_for, touches
from hub.domain.envelope import Event
from hub.domain.events import PAYLOADS
from hub.domain.ids import OrderId, ShipmentId, UserId
from hub.domain.notifications import Lane, Notification, Step
from tests.shop import EUR_20, NOON_MS, event, order_placed, shipment_created
from tests.world import HOUR_MS, World

ORDER = Aggregate(AggregateKind.ORDER, "A-1")
SHIPMENT = Aggregate(AggregateKind.SHIPMENT, "S-1")
STORY: tuple[Event, ...] = (
    order_placed(),
    event("payment.authorized", order_id="A-1", payment_id="p-1", amount=EUR_20),
    event("payment.failed", at_s=1, order_id="A-1", payment_id="p-1", amount=EUR_20, reason="card declined"),
    event("payment.captured", at_s=2, order_id="A-1", payment_id="p-2", amount=EUR_20),
    event("order.confirmed", at_s=3, order_id="A-1"),
    event("order.packed", at_s=4, order_id="A-1"),
    shipment_created(at_s=5, carrier="Swift Parcel", eta="2026-01-02T10:00:00Z"),
    event("shipment.dispatched", at_s=6, shipment_id="S-1"),
    event("shipment.delayed", at_s=7, shipment_id="S-1", new_eta="2026-01-03T10:00:00Z", reason="snow"),
    event("shipment.rescheduled", at_s=8, shipment_id="S-1", new_eta="2026-01-04T10:00:00Z"),
    event("shipment.out_for_delivery", at_s=9, shipment_id="S-1", attempt=1),
    event("shipment.failed", at_s=10, shipment_id="S-1", reason="nobody home", attempt=1),
    event("shipment.out_for_delivery", at_s=11, shipment_id="S-1", attempt=2),
    event("shipment.delivered", at_s=12, shipment_id="S-1", signed_by="Mia"),
    event("shipment.returned", at_s=13, shipment_id="S-1", reason="wrong size"),
    event("order.cancelled", at_s=14, order_id="A-1", reason="changed my mind"),
    event("order.returned", at_s=15, order_id="A-1"),
    event("payment.refunded", at_s=16, order_id="A-1", payment_id="p-2", amount=EUR_20),
    event(
        "sale.scheduled", sale_id="s", title="Sale", starts_at="2026-01-02T00:00:00Z", ends_at="2026-01-03T00:00:00Z"
    ),
    event("sale.started", at_s=1, sale_id="s", title="Sale", ends_at="2026-01-03T00:00:00Z", offer={"percent": 20}),
    event("sale.ended", at_s=2, sale_id="s"),
    event("sale.cancelled", at_s=3, sale_id="s", reason="sold out"),
    event("price.changed", product_id="shoe", old=EUR_20, new={"amount_minor": 1_500, "currency": "EUR"}),
    event("stock.replenished", product_id="shoe", quantity=7),
    event("user.updated", user_id="mia", email="mia@example.com", consent={"email": {"granted": True}}),
    event("user.erased", at_s=1, user_id="mia"),
)


def test_the_story_has_every_type_of_event_and_each_is_applied_in_order() -> None:
    world = World()

    assert {told.type for told in STORY} == PAYLOADS.keys()
    assert {world.tell(told).outcome for told in STORY} == {Outcome.APPLIED}


def test_every_rule_of_the_default_playbook_notifies_once_in_the_story() -> None:
    world = World()
    for told in STORY:
        world.tell(told)

    rules = [rule for user, rule in world.notified if user == "mia"]
    assert set(rules) == {rule.name for rule in world.playbook.rules}
    assert sorted(rules) == sorted([*{*rules}, "shipment-out-for-delivery"])


@pytest.mark.parametrize("index", range(len(STORY)), ids=[told.type for told in STORY])
def test_an_event_that_comes_again_has_the_same_effects_to_the_byte_even_after_all_others(index: int) -> None:
    world = World()
    decisions = [world.tell(told) for told in STORY]
    first, again = decisions[index], world.decide(STORY[index], now_ms=NOON_MS + HOUR_MS)

    if STORY[index].type == "user.updated":
        assert again.outcome is Outcome.STALE
        return
    assert again.publications == first.publications
    assert again.notifications == first.notifications
    assert (again.links, again.erase, again.change) == (first.links, first.erase, None)


@pytest.mark.parametrize("told", STORY, ids=lambda told: told.type)
def test_contexts_have_exactly_the_documented_variables(told: Event) -> None:
    world = World()
    for earlier in STORY:
        decision = world.tell(earlier)
        if earlier is told:
            for notification in decision.notifications:
                assert notification.context.keys() == {variable.name for variable in variables_of(told.type)}
            return


def test_a_repeated_event_has_no_effects_after_the_replay_window() -> None:
    world = World()
    placed = order_placed()
    world.tell(placed)

    assert world.decide(placed, now_ms=NOON_MS + 24 * HOUR_MS - 1).outcome is Outcome.REPLAYED
    again = world.decide(placed, now_ms=NOON_MS + 24 * HOUR_MS)
    assert (again.outcome, again.publications, again.notifications) == (Outcome.DUPLICATE, (), ())


def test_what_is_made_up_for_is_what_the_last_change_led_to_but_for_the_correlation_ids() -> None:
    world = World()
    world.tell(order_placed())
    moment = NOON_MS + HOUR_MS
    together = [event(f"order.{name}", order_id="A-1") for name in ("confirmed", "packed")]
    first = [world.tell(each, now_ms=moment) for each in together]
    world.tell(event("order.confirmed", order_id="A-1"), now_ms=moment + 1)  # Stale: announced to nobody.

    again = made_up_for(ORDER, world.documents[ORDER], playbook=world.playbook)

    assert [decision.publications for decision in again] == [decision.publications for decision in first]
    assert [_uncorrelated(decision) for decision in again] == [_uncorrelated(decision) for decision in first]


def test_what_is_heard_again_anyway_is_not_made_up_for_unless_something_unheard_follows() -> None:
    world = World()
    created = shipment_created(customer_id="mia")
    dispatched = event("shipment.dispatched", at_s=1, shipment_id="S-1")
    world.tell(created)
    world.tell(dispatched)

    def made_up(*heard: Event) -> list[str]:
        keys = {each.key for each in heard}
        decisions = made_up_for(SHIPMENT, world.documents[SHIPMENT], heard=keys, playbook=world.playbook)
        return [notification.rule for decision in decisions for notification in decision.notifications]

    assert made_up(created, dispatched) == []
    assert made_up(dispatched) == ["shipment-created"]
    assert made_up(created) == ["shipment-created", "shipment-dispatched"]


def test_a_change_comes_after_the_last_announcement_while_that_is_repeated() -> None:
    world = World()
    placed = order_placed()
    told = world.tell(placed)
    packed = event("order.packed", order_id="A-1")

    soon, late = (world.decide(packed, now_ms=NOON_MS + hours * HOUR_MS).change for hours in (23, 24))

    assert soon is not None
    assert late is not None
    assert soon.after == Precedent(told.publications[-1].topic, told.publications[-1].id)
    assert late.after is None


def test_a_shipment_s_change_comes_after_the_rank_of_its_last_announcement() -> None:
    world = World()
    (told, *_) = world.tell(shipment_created(customer_id="mia")).publications

    change = world.decide(event("shipment.dispatched", at_s=1, shipment_id="S-1")).change

    assert change is not None
    assert change.after == Precedent(told.topic, told.id, told.rank)


def _uncorrelated(decision: Decision) -> list[Notification]:
    return [msgspec.structs.replace(notification, correlation_id="") for notification in decision.notifications]


def test_a_stale_event_is_recorded_and_announced_to_nobody_even_when_it_comes_again() -> None:
    world = World()
    world.tell(order_placed())
    world.tell(event("order.packed", at_s=2, order_id="A-1"))
    late = event("order.confirmed", at_s=1, order_id="A-1")

    decision = world.tell(late)

    assert (decision.outcome, decision.publications, decision.notifications) == (Outcome.STALE, (), ())
    assert [entry.announced for entry in world.order().timeline] == [True, True, False]
    assert world.decide(late).outcome is Outcome.DUPLICATE


@pytest.mark.parametrize(
    ("told", "waits_for"),
    [
        (event("order.packed", order_id="A-1"), ORDER),
        (event("payment.captured", order_id="A-1", payment_id="p", amount=EUR_20), ORDER),
        (shipment_created(), ORDER),
        (event("shipment.delivered", shipment_id="S-1"), SHIPMENT),
        (event("shipment.delivered", shipment_id="S-1", order_id="A-1", customer_id="mia"), SHIPMENT),
    ],
    ids=lambda value: getattr(value, "type", ""),
)
def test_an_event_about_something_unknown_waits_for_it(told: Event, waits_for: Aggregate) -> None:
    decision = World().tell(told)

    assert (decision.outcome, decision.park_under, decision.change) == (Outcome.PARKED, waits_for, None)


@pytest.mark.parametrize(
    "told",
    [
        order_placed(customer_id="eve"),
        event("order.packed", order_id="A-1", customer_id="eve"),
        event("payment.captured", order_id="A-1", customer_id="eve", payment_id="p", amount=EUR_20),
        shipment_created("S-2", customer_id="eve"),
        shipment_created(customer_id="eve"),
        event("shipment.delivered", shipment_id="S-1", customer_id="eve"),
        event("shipment.delivered", shipment_id="S-1", order_id="A-2"),
        shipment_created(order_id="A-2"),
    ],
    ids=lambda told: told.type,
)
def test_an_event_that_contradicts_who_owns_what_is_rejected(told: Event) -> None:
    world = World()
    for earlier in (order_placed(), order_placed("A-2", "eve"), shipment_created()):
        world.tell(earlier)

    decision = world.tell(told)

    assert (decision.outcome, decision.change, decision.publications) == (Outcome.REJECTED, None, ())
    assert "belong" in decision.reason


def test_a_shipment_whose_order_is_not_known_yet_is_told_to_its_own_topic_only() -> None:
    world = World()

    decision = world.tell(shipment_created(customer_id="mia"))

    assert [publication.topic for publication in decision.publications] == ["shipment:S-1"]
    assert decision.notifications[0].context["item"] is None


def test_a_shipment_joins_its_order_once_both_are_known_to_belong_to_one_person() -> None:
    world = World()
    created = shipment_created(customer_id="mia")
    first = world.tell(created)
    world.tell(order_placed())

    world.tell(event("shipment.dispatched", shipment_id="S-1", order_id="A-1"))

    assert world.types_on("order:A-1") == ["order.placed", "shipment.dispatched"]
    assert world.decide(created).publications == first.publications
    assert world.decide(created).notifications == first.notifications


def test_a_shipment_never_shows_up_on_the_order_of_somebody_else() -> None:
    world = World()
    world.tell(shipment_created(customer_id="eve"))
    world.tell(order_placed())

    decision = world.tell(event("shipment.dispatched", shipment_id="S-1", order_id="A-1"))

    assert decision.outcome is Outcome.REJECTED
    assert world.types_on("order:A-1") == ["order.placed"]


def test_a_new_shipment_is_linked_to_its_order() -> None:
    world = World()
    world.tell(order_placed())

    assert world.tell(shipment_created()).links == (Link(OrderId("A-1"), ShipmentId("S-1")),)


def test_a_failed_payment_is_critical_and_quick() -> None:
    world = World()
    world.tell(order_placed())

    (notification,) = world.tell(STORY[2]).notifications

    assert (notification.lane, notification.category, notification.user) == (Lane.CRITICAL, "payments", "mia")
    assert notification.ladder == (Step(PUSH, 5.0), Step(SMS, 120.0), Step(EMAIL, 900.0))
    assert notification.context["reason"] == "card declined"


def test_a_notification_carries_where_to_look_and_when_it_is_over() -> None:
    world = World()
    (notification,) = world.tell(order_placed("A/1"), now_ms=NOON_MS + 7).notifications

    assert notification.link == "/orders/A%2F1"
    assert notification.created_ms == NOON_MS + 7
    assert notification.expires_ms == NOON_MS + 7 + 3 * 24 * HOUR_MS


def test_a_price_goes_to_its_topic_only_ranked_by_version_or_else_time() -> None:
    timed = World().decide(STORY[22])
    counted = World().decide(event("price.changed", product_id="shoe", old=EUR_20, new=EUR_20, version=8))

    assert [(item.topic, item.rank) for item in timed.publications] == [("price:shoe", NOON_MS)]
    assert [(item.topic, item.rank) for item in counted.publications] == [("price:shoe", 8)]
    assert timed.notifications == ()


def test_a_sale_goes_to_those_who_watch_it_and_to_everybody() -> None:
    world = World()
    decision = world.tell(STORY[19])

    assert [(item.topic, item.rank) for item in decision.publications] == [("sale:s", 1), ("announcements", None)]
    assert world.announced[0][1]["offer"] == {"percent": 20}
    assert decision.notifications == ()


def test_erasing_a_person_is_repeated_however_often_it_comes() -> None:
    world = World()
    first, again = world.tell(STORY[25]), world.tell(STORY[25])

    assert (first.outcome, again.outcome) == (Outcome.APPLIED, Outcome.REPLAYED)
    assert first.erase == again.erase == Erase(UserId("mia"))


def test_prices_and_stock_touch_nothing() -> None:
    assert touches(STORY[22]) == touches(STORY[23]) == Touch()


def test_a_shipment_event_that_names_its_order_reads_both() -> None:
    told = event("shipment.dispatched", shipment_id="S-1", order_id="A-1")

    assert touches(told) == Touch(SHIPMENT, ORDER)
