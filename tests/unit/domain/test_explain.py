import pytest

from hub.domain.dispatch import Snapshot
from hub.domain.envelope import Event
from hub.domain.explain import explain, imagined
from hub.domain.playbook import load_playbook
from tests.shop import EUR_20, NOON_MS, event, order_placed, shipment_created
from tests.world import DEFAULT_PLAYBOOK, HOUR_MS, World


def explained(told: Event, snapshot: Snapshot | None = None, override: bytes | None = None) -> list[str]:
    playbook = load_playbook(DEFAULT_PLAYBOOK, override, files=("default", "own"))
    return explain(told, snapshot or imagined(told), playbook=playbook, now_ms=NOON_MS, replay_window_ms=24 * HOUR_MS)


def test_it_says_what_is_published_and_who_is_notified_how() -> None:
    lines = explained(event("order.packed", order_id="A-1", customer_id="mia", id="e-1"))

    assert lines[0] == "order.packed e-1 from /shop/tests: applied"
    assert lines[1].startswith('  publishes on order:A-1: {"type":"order.packed"')
    assert lines[2] == (
        "  rule order-packed notifies mia (orders, transactional, template order-packed): "
        "inbox at once, then while unseen email after 1m; expires after 2d"
    )


def test_it_says_for_how_long_a_rule_gathers() -> None:
    override = b'[rules.order-placed]\ndigest = "30m"'

    assert explained(order_placed(), override=override)[-1].endswith(
        "beyond the inbox gathered with others of orders for 30m"
    )


def test_it_says_which_condition_does_not_hold() -> None:
    override = b'[rules.order-placed]\nwhen = ["total.amount_minor >= 10000"]'

    assert explained(order_placed(), override=override)[-1] == (
        "  rule order-placed notifies nobody: `total.amount_minor >= 10000` does not hold, total.amount_minor is 5998"
    )


def test_it_says_that_a_rule_is_switched_off() -> None:
    override = b"[rules.order-placed]\nenabled = false"

    assert explained(order_placed(), override=override)[-1].endswith("notifies nobody: it is switched off")


def test_it_says_why_nobody_is_told() -> None:
    lines = explained(event("order.packed", order_id="A-1", id="e-1"), Snapshot())

    assert lines == [
        "order.packed e-1 from /shop/tests: parked (the order A-1 is not known)",
        "  tells nobody",
    ]


def test_it_says_that_a_price_notifies_nobody_in_person() -> None:
    lines = explained(event("price.changed", product_id="shoe", old=EUR_20, new=EUR_20))

    assert lines[-1] == "  no rule for it: notifies nobody in person"


@pytest.mark.parametrize(
    "told",
    [
        shipment_created(),
        event("shipment.delivered", shipment_id="S-1"),
        event("payment.failed", order_id="A-1", payment_id="p", amount=EUR_20, reason="card declined"),
        event("sale.ended", sale_id="summer"),
        event("user.erased", user_id="mia"),
    ],
    ids=lambda told: told.type,
)
def test_any_event_can_be_explained_on_an_imagined_snapshot(told: Event) -> None:
    assert explained(told)[0].endswith(": applied")


def test_explaining_agrees_with_what_really_happens() -> None:
    world = World()
    placed = order_placed()
    world.tell(placed)

    assert explained(placed, world.snapshot(placed))[0].endswith(": replayed")
