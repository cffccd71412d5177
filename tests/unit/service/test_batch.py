"""A batch is decided in order, and every event as if those before it had been written already."""

from __future__ import annotations

from hub.app import load_playbook
from hub.domain.decisions import Aggregate, AggregateKind, Document, Outcome
from hub.domain.envelope import Event, Incoming, Origin, Source
from hub.service.intake.batch import Round, Task, aggregates_of, decide_round
from hub.settings import Settings
from tests.shop import NOON_MS, event, order_placed

ORDER = Aggregate(AggregateKind.ORDER, "A-1")
ABSENT = Document(0, b"")
PLAYBOOK = load_playbook(Settings())


def tasks_of(*events: Event) -> list[Task]:
    return [Task(index, Incoming(each, Origin(Source.HTTP, str(index)))) for index, each in enumerate(events)]


def decided(tasks: list[Task], order: Document = ABSENT) -> Round:
    documents = dict.fromkeys(aggregates_of(tasks), ABSENT) | {ORDER: order}
    return decide_round(tasks, documents, playbook=PLAYBOOK, now_ms=NOON_MS, replay_window_ms=3_600_000)


def stored(*events: Event) -> Document:
    """Return the order's document after these events."""
    document = ABSENT
    for each in events:
        change = decided(tasks_of(each), document).changes[ORDER]
        document = Document(change.expected_version + 1, change.body)
    return document


def names(tasks: list[Task]) -> list[str]:
    return [task.incoming.event.type for task in tasks]


def test_all_changes_of_an_aggregate_are_one_compare_and_set() -> None:
    order = stored(order_placed())
    tasks = tasks_of(event("order.confirmed", order_id="A-1"), event("order.packed", at_s=1, order_id="A-1"))
    result = decided(tasks, order)
    assert [outcome.outcome for _, outcome in result.decided] == [Outcome.APPLIED, Outcome.APPLIED]
    assert result.changes[ORDER].expected_version == order.version
    assert result.changed_by[ORDER] == tasks


def test_changes_made_together_come_after_what_was_announced_before_all_of_them() -> None:
    placed, confirmed, packed = (
        order_placed(),
        *(event(f"order.{name}", order_id="A-1") for name in ("confirmed", "packed")),
    )
    order = stored(placed)
    (alone,) = decided(tasks_of(confirmed), order).changes.values()
    (together,) = decided(tasks_of(confirmed, packed), order).changes.values()
    assert alone.after is not None
    assert together.after == alone.after


def test_what_follows_a_creation_comes_in_a_later_round() -> None:
    result = decided(tasks_of(order_placed(), event("order.packed", order_id="A-1")))
    assert [task.incoming.event.type for task, _ in result.decided] == ["order.placed"]
    assert names(result.later) == ["order.packed"]


def test_what_came_before_a_creation_is_woken_by_it() -> None:
    result = decided(tasks_of(event("order.confirmed", order_id="A-1"), order_placed()))
    assert names(result.woken) == ["order.confirmed"]
    assert result.parked == []


def test_what_nobody_creates_is_parked() -> None:
    result = decided(tasks_of(event("order.confirmed", order_id="A-1")))
    assert [(task.index, aggregate) for task, aggregate in result.parked] == [(0, ORDER)]
    assert result.decided == []


def test_a_repeat_changes_nothing_and_is_remembered_as_such() -> None:
    placed = order_placed()
    result = decided(tasks_of(placed), stored(placed))
    assert result.changes == {}
    assert result.replayed == {ORDER}


def test_events_of_different_orders_do_not_wait_for_each_other() -> None:
    result = decided(tasks_of(order_placed(), order_placed("B-2"), event("order.packed", order_id="B-2")))
    assert len(result.changes) == 2
    assert names(result.later) == ["order.packed"]
