from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.decisions import Outcome
from hub.domain.envelope import Event
from tests.shop import NOON_MS, event, order_placed, shipment_created
from tests.world import World

FEW = settings(max_examples=min(40, settings().max_examples))
FINAL = {"shipment.delivered": 1, "shipment.returned": 2}
ETAS = st.sampled_from(["2026-01-02T10:00:00Z", "2026-01-03T10:00:00Z", "2026-01-04T10:00:00Z"])


@st.composite
def shipment_events(draw: st.DrawFn) -> Event:
    event_type = draw(
        st.sampled_from(["dispatched", "out_for_delivery", "failed", "delayed", "rescheduled", "delivered", "returned"])
    )
    data: dict[str, Any] = {"shipment_id": "S-1"}
    if event_type in {"delayed", "rescheduled"}:
        data["new_eta"] = draw(ETAS)
    if event_type == "failed":
        data["reason"] = "nobody home"
    if event_type in {"out_for_delivery", "failed"}:
        data["attempt"] = draw(st.none() | st.integers(1, 3))
    data["version"] = draw(st.none() | st.integers(1, 5))
    given_data = {name: value for name, value in data.items() if value is not None}
    return event(f"shipment.{event_type}", at_s=draw(st.integers(0, 10)), **given_data)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """Return a shipment's events twice: in two orders, the second with duplicates."""
    events = [shipment_created(eta="2026-01-01T20:00:00Z"), *draw(st.lists(shipment_events(), max_size=8))]
    again = draw(st.lists(st.sampled_from(events), max_size=6))
    return draw(st.permutations(events)), draw(st.permutations(events + again))


def told(events: list[Event]) -> World:
    world = World()
    world.tell(order_placed())
    for one in events:
        world.tell(one)
    return world


@given(histories())
@FEW
def test_what_a_shipment_ends_up_as_depends_only_on_which_events_came(history: tuple[list[Event], list[Event]]) -> None:
    first, second = (told(events).shipment() for events in history)

    assert (first.status, first.standing, first.eta_ms) == (second.status, second.standing, second.eta_ms)
    assert first.standing == max(shipment_standing(one) for one in history[0])


def shipment_standing(one: Event) -> tuple[int, ...]:
    world = told([shipment_created(), one])
    return world.shipment().standing


@given(histories())
@FEW
def test_a_delivered_shipment_is_never_on_its_way_again(history: tuple[list[Event], list[Event]]) -> None:
    ranks = [FINAL.get(event_type, 0) for event_type in told(history[1]).types_on("shipment:S-1")]

    assert ranks == sorted(ranks)


@given(histories())
@FEW
def test_statuses_are_announced_forwards_and_each_event_once(history: tuple[list[Event], list[Event]]) -> None:
    world = told(history[1])

    announced = [update["event"] for topic, update in world.announced if topic == "shipment:S-1"]
    by_key = {one.key: one for one in history[1]}
    moves = [by_key[key] for key in announced if by_key[key].type not in {"shipment.delayed", "shipment.rescheduled"}]
    standings = [shipment_standing(one) for one in moves]
    assert standings == sorted(set(standings))
    assert len(announced) == len(set(announced)) == len([user for user, _ in world.notified]) - 1


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


@given(histories())
@FEW
def test_ranks_on_the_topic_count_the_announcements(history: tuple[list[Event], list[Event]]) -> None:
    world = told(history[1])

    assert [rank for _, rank in world.ranks] == list(range(1, len(world.types_on("shipment:S-1")) + 1))
