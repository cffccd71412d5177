"""Splits a batch into parts that can be worked off side by side. Pure.

While Redis works on one part's trip, the next part is decided: so neither of them waits for the other. Events that have
anything to do with each other stay in one part, in their order: those of one order and its shipments, those that name
one person, and those that are published on one topic.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from hub.domain.decisions import Aggregate, AggregateKind
from hub.domain.dispatch import touches
from hub.domain.envelope import Event
from hub.domain.events import AnySale
from hub.domain.topics import ANNOUNCEMENTS
from hub.service.intake.batch import Task

_MAX_PARTS = 4
_MIN_EVENTS = 50
"""A part of fewer costs more in trips of its own than it saves in waiting."""


def independent_parts(tasks: Sequence[Task]) -> list[list[Task]]:
    """Return the tasks in at most four parts, each in the order given. A small batch is one part."""
    wanted = min(_MAX_PARTS, len(tasks) // _MIN_EVENTS)
    if wanted < 2:  # noqa: PLR2004 - nothing to split
        return [list(tasks)] if tasks else []
    size = -(-len(tasks) // wanted)
    parts: list[list[Task]] = [[]]
    for group in _related(tasks):
        if len(parts[-1]) >= size:
            parts.append([])
        parts[-1] += group
    for part in parts:
        part.sort(key=_index)
    return parts


def _index(task: Task) -> int:
    return task.index


def _related(tasks: Sequence[Task]) -> list[list[Task]]:
    """Return the tasks by what they have in common, directly or through others of them."""
    parents: dict[Hashable, Hashable] = {}

    def root(name: Hashable) -> Hashable:
        while (parent := parents.setdefault(name, name)) != name:
            parents[name] = parents[parent]
            name = parent
        return name

    names: list[Hashable] = []
    for task in tasks:
        first, *others = _names(task.incoming.event)
        first = root(first)
        for other in others:
            parents[root(other)] = first
        names.append(first)
    groups: dict[Hashable, list[Task]] = {}
    for task, name in zip(tasks, names, strict=True):
        groups.setdefault(root(name), []).append(task)
    return list(groups.values())


def _names(event: Event) -> list[Hashable]:
    """Return what an event has to do with: its aggregates, the customer whom it names, its topic."""
    data = event.data
    touch = touches(event)
    names: list[Hashable] = [aggregate for aggregate in (touch.own, touch.related) if aggregate is not None]
    customer = getattr(data, "customer_id", None)
    if customer is not None:
        names.append(Aggregate(AggregateKind.PERSON, customer))
    elif isinstance(data, AnySale):
        names.append(ANNOUNCEMENTS)
    return names or [getattr(data, "product_id", None)]
