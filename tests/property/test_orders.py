from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.decisions import Outcome
from hub.domain.envelope import Event
from hub.domain.orders import OrderStatus
from hub.domain.timeline import MAX_ENTRIES
from tests.shop import EUR_20, NOON_MS, event, order_placed
from tests.world import World

FEW = settings(max_examples=min(40, settings().max_examples))
VERY_FEW = settings(FEW, max_examples=5)
RANKS = {f"order.{status}": rank for rank, status in enumerate(OrderStatus)}


@st.composite
def order_events(draw: st.DrawFn) -> Event:
    event_type = draw(st.sampled_from(["order.confirmed", "order.packed", "order.cancelled", "order.returned"]))
    version = draw(st.none() | st.integers(1, 4))
    more: dict[str, Any] = {} if version is None else {"version": version}
    return event(event_type, at_s=draw(st.integers(0, 10)), order_id="A-1", **more)


@st.composite
def payment_events(draw: st.DrawFn) -> Event:
    status = draw(st.sampled_from(["authorized", "captured", "failed", "refunded"]))
    return event(
        f"payment.{status}",
        at_s=draw(st.integers(0, 10)),
        order_id="A-1",
        payment_id=draw(st.sampled_from(["p-1", "p-2"])),
        amount=EUR_20,
        reason="card declined",
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """Return an order's events twice: in two orders, the second with duplicates."""
    events = [order_placed(), *draw(st.lists(order_events() | payment_events(), max_size=10))]
    again = draw(st.lists(st.sampled_from(events), max_size=6))
    return draw(st.permutations(events)), draw(st.permutations(events + again))


def told(events: list[Event]) -> World:
    world = World()
    for one in events:
        world.tell(one)
    return world


def standing(one: Event) -> tuple[int, int]:
    return (one.data.version or 0, RANKS[one.type])


@given(histories())
@FEW
def test_what_an_order_ends_up_as_depends_only_on_which_events_came(history: tuple[list[Event], list[Event]]) -> None:
    first, second = (told(events).order() for events in history)

    assert (first.status, first.standing, first.payment) == (second.status, second.standing, second.payment)
    assert first.standing == max(standing(one) for one in history[0] if one.type in RANKS)


@given(histories())
@FEW
def test_an_order_is_announced_forwards_only(history: tuple[list[Event], list[Event]]) -> None:
    world = told(history[1])
    by_key = {one.key: one for one in history[1]}

    moves = [by_key[update["event"]] for _, update in world.announced if update["type"] in RANKS]

    standings = [standing(one) for one in moves]
    assert standings == sorted(set(standings))


@given(histories())
@FEW
def test_every_refund_is_announced_once_and_nothing_but_refunds_follows_a_capture_of_the_same_payment(
    history: tuple[list[Event], list[Event]],
) -> None:
    announced = [update for _, update in told(history[1]).announced]

    refunds = {one.key for one in history[0] if one.type == "payment.refunded"}
    assert {update["event"] for update in announced if update["type"] == "payment.refunded"} == refunds
    for payment in ("p-1", "p-2"):
        types = [update["type"] for update in announced if update.get("payment_id") == payment]
        if "payment.captured" in types:
            assert set(types[types.index("payment.captured") + 1 :]) <= {"payment.refunded"}


@given(histories())
@FEW
def test_each_event_is_announced_and_notified_at_most_once(history: tuple[list[Event], list[Event]]) -> None:
    world = told(history[1])

    keys = [update["event"] for _, update in world.announced]
    assert len(keys) == len(set(keys)) == len(world.notified)


@given(histories())
@FEW
def test_a_second_run_over_all_events_repeats_nothing_and_changes_nothing(
    history: tuple[list[Event], list[Event]],
) -> None:
    world = told(history[0])
    documents, announced = dict(world.documents), list(world.announced)

    outcomes = {world.tell(one, now_ms=NOON_MS + 5_000).outcome for one in history[1]}

    assert outcomes <= {Outcome.REPLAYED, Outcome.DUPLICATE}
    assert (world.documents, world.announced) == (documents, announced)


def refund() -> Event:
    return event("payment.refunded", order_id="A-1", payment_id="p", amount=EUR_20)


@given(st.lists(st.booleans(), min_size=MAX_ENTRIES, max_size=MAX_ENTRIES + 40))
@VERY_FEW
def test_a_timeline_is_bounded_and_keeps_its_beginning_and_its_end(refunds: list[bool]) -> None:
    world = told([order_placed(), event("order.packed", order_id="A-1")])
    events = [refund() if yes else event("order.confirmed", order_id="A-1") for yes in refunds]
    for one in events:
        world.tell(one)

    timeline = world.order().timeline
    assert len(timeline) == MAX_ENTRIES
    assert (timeline[0].type, timeline[-1].event) == ("order.placed", events[-1].key)
    stale = sum(not entry.announced for entry in timeline)
    assert stale <= max(1, MAX_ENTRIES - 2 - sum(refunds))
