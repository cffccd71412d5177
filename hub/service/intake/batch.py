"""Decides a batch of events in order, on one reading of the aggregates they touch. Pure.

Within a batch each decision stands on the ones before it: an aggregate changed by one event is what the next one sees.
All changes of one aggregate become one compare-and-set on the version that was read, so either all of them happen or
all of them are decided again.

An event that creates an aggregate ends the round for it. Events that were waiting for it - earlier in this batch, or
parked in the store - come next, ordered by their own time, and then those that follow it in the batch: so local
disorder costs nobody an announcement.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from hub.domain.decisions import Aggregate, AggregateKind, Change, Decision, Document, Outcome, Precedent
from hub.domain.dispatch import ABSENT, Snapshot, Touch, begins, decide, made_up_for, touches
from hub.domain.envelope import Incoming
from hub.domain.rules import Playbook

NOT_IN_BATCH = -1


@dataclass(frozen=True, slots=True)
class Task:
    """One event to decide. `index` is its place in the caller's batch, NOT_IN_BATCH for one that was parked."""

    index: int
    incoming: Incoming
    parked_as: bytes = b""
    """The body under which the store keeps it, for a parked event that was woken..."""
    parked_under: Aggregate | None = None
    """...and the aggregate it waited for."""


@dataclass(slots=True)
class Round:
    """What one pass over the tasks decided."""

    decided: list[tuple[Task, Decision]] = field(default_factory=list)
    changes: dict[Aggregate, Change] = field(default_factory=dict)
    woken: list[Task] = field(default_factory=list)
    """For the next round: they came before the creation of their aggregate in this batch."""
    later: list[Task] = field(default_factory=list)
    """For the round after these, in order: they follow that creation."""
    parked: list[tuple[Task, Aggregate]] = field(default_factory=list)
    """Nobody in this batch created what they wait for."""
    replayed: set[Aggregate] = field(default_factory=set)
    """Their change was made before; who made it may have died before the events that it woke were heard."""
    changed_by: dict[Aggregate, list[Task]] = field(default_factory=dict)
    """Who has to be decided again if the aggregate's change loses the race."""


def aggregates_of(tasks: Sequence[Task]) -> list[Aggregate]:
    """Return every aggregate the tasks touch, each once."""
    found: dict[Aggregate, None] = {}
    for task in tasks:
        touch = touches(task.incoming.event)
        for aggregate in (touch.own, touch.related):
            if aggregate is not None:
                found[aggregate] = None
    return list(found)


def customers_of(tasks: Sequence[Task]) -> list[Aggregate]:
    """Return the people whom the events themselves name: likely to be told something, so worth reading along."""
    named = (getattr(task.incoming.event.data, "customer_id", None) for task in tasks)
    return [Aggregate(AggregateKind.PERSON, user) for user in dict.fromkeys(named) if user is not None]


def parked_under(tasks: Sequence[Task]) -> set[Aggregate]:
    """Return the aggregates whose parked events are among the tasks."""
    return {task.parked_under for task in tasks if task.parked_under is not None}


def tasks_to_redo(decided: Round, *, refused: Collection[Aggregate], waiting: Collection[Aggregate]) -> list[Task]:
    """Return the tasks to decide once more, in order.

    `refused`: their change was not applied. `waiting`: its change was made before, by a process that did not come to
    the events that were waiting for it: of its events only the one that began it may have its effects before theirs.
    """
    if not refused and not waiting:
        return []
    redo = {id(task) for aggregate in refused for task in decided.changed_by[aggregate]}
    for task, decision in decided.decided:
        event = task.incoming.event
        if touches(event).own in waiting and (decision.change is not None or not begins(event)):
            redo.add(id(task))
    return [task for task, _ in decided.decided if id(task) in redo]


def before_repeats(
    decided: Round, documents: Mapping[Aggregate, Document], *, aggregates: Collection[Aggregate], playbook: Playbook
) -> list[Decision]:
    """Return what people must be told before the repeated events of `aggregates` are told again.

    Events that were applied together and cut off together need not come again together, nor in the same order.
    """
    heard = {task.incoming.event.key for task, _ in decided.decided} if aggregates else set()
    return [
        decision
        for aggregate in aggregates
        for decision in made_up_for(aggregate, documents[aggregate], heard=heard, playbook=playbook)
    ]


def in_timeline_order(settled: Sequence[tuple[Task, Decision]]) -> list[tuple[Task, Decision]]:
    """Return them with those of each aggregate in the order of its timeline, in the places that it had.

    Events that are processed again come in the order in which they were read, which need not be the one in which they
    were applied: some of them had to wait for their order.
    """
    result = list(settled)
    again = {touches(task.incoming.event).own for task, decision in settled if decision.outcome is Outcome.REPLAYED}
    if not again:
        return result
    slots: dict[Aggregate, list[int]] = {}
    for index, (task, _) in enumerate(settled):
        own = touches(task.incoming.event).own
        if own is not None and own in again:
            slots.setdefault(own, []).append(index)
    for places in slots.values():
        ordered = sorted((settled[index] for index in places), key=lambda pair: pair[1].place)
        for index, pair in zip(places, ordered, strict=True):
            result[index] = pair
    return result


class _View:
    """The aggregates as the next task sees them: as they were read, with the changes of the tasks before it."""

    def __init__(self, read: Mapping[Aggregate, Document]) -> None:
        self._read = read
        self._current = dict(read)
        self._after: dict[Aggregate, Precedent | None] = {}
        self.created: set[Aggregate] = set()

    def snapshot(self, touch: Touch) -> Snapshot:
        """Return what an event is decided on."""
        return Snapshot(
            own=self._current[touch.own] if touch.own else ABSENT,
            related=self._current[touch.related] if touch.related else ABSENT,
        )

    def change(self, change: Change) -> Change:
        """Take a change in; return it on the document that was read, for the one compare-and-set of its aggregate."""
        version = self._read[change.aggregate].version
        if version == 0 and self._current[change.aggregate].version == 0:
            self.created.add(change.aggregate)
        self._current[change.aggregate] = Document(version + 1, change.body)
        after = self._after.setdefault(change.aggregate, change.after)
        return Change(change.aggregate, expected_version=version, body=change.body, after=after)


def decide_round(
    tasks: Sequence[Task],
    documents: Mapping[Aggregate, Document],
    *,
    playbook: Playbook,
    now_ms: int,
    replay_window_ms: int,
) -> Round:
    """Decide each task on `documents` and what the tasks before it made of them."""
    result = Round()
    view = _View(documents)
    for task in tasks:
        event = task.incoming.event
        touch = touches(event)
        if touch.own in view.created or touch.related in view.created:
            result.later.append(task)
            continue
        decision = decide(
            event, view.snapshot(touch), playbook=playbook, now_ms=now_ms, replay_window_ms=replay_window_ms
        )
        if decision.park_under is not None:
            result.parked.append((task, decision.park_under))
            continue
        result.decided.append((task, decision))
        if decision.change is not None:
            change = view.change(decision.change)
            result.changes[change.aggregate] = change
            result.changed_by.setdefault(change.aggregate, []).append(task)
        elif decision.outcome is Outcome.REPLAYED and touch.own is not None:
            result.replayed.add(touch.own)
    result.woken = [task for task, aggregate in result.parked if aggregate in view.created]
    result.parked = [(task, aggregate) for task, aggregate in result.parked if aggregate not in view.created]
    return result


def event_time(task: Task) -> int:
    """Return when a task's event happened, Unix ms."""
    return task.incoming.event.time_ms
