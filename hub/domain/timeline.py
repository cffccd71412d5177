"""What has happened to one order or shipment: enough to tell a duplicate, and to repeat its effects to the byte.

An entry holds everything an event's publications and notifications are made of, so they are the same when the event
comes again, whatever has changed since.
"""

from __future__ import annotations

import msgspec

from hub.domain.envelope import Event
from hub.domain.ids import EventKey
from hub.domain.money import Money

MAX_ENTRIES = 100


class TimelineEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event as it was applied. Times are Unix ms.

    `announced` is False where the event was stale: it changed no state and nobody was told.
    """

    event: EventKey
    type: str
    time_ms: int
    received_ms: int
    applied_ms: int
    announced: bool
    status: str = ""
    """The status of the order or shipment after this event."""
    rank: int = 0
    """Orders what is published about a shipment on its `latest` topic."""
    payment: str | None = None
    """The state of the order's payment after this event."""
    payment_id: str | None = None
    amount: Money | None = None
    reason: str | None = None
    carrier: str | None = None
    eta_ms: int | None = None
    attempt: int | None = None
    signed_by: str | None = None
    delivered_ms: int | None = None
    with_order: bool = False
    """Of a shipment: its order was known, so the order's topic was told, too."""


class Contradiction(msgspec.Struct, frozen=True):
    """An event says something that cannot be true beside what is known."""

    reason: str


def stale_entry(event: Event, *, now_ms: int) -> TimelineEntry:
    """Return the entry of an event that comes too late to matter."""
    return TimelineEntry(event.key, event.type, event.time_ms, event.received_ms, now_ms, announced=False)


def find(timeline: tuple[TimelineEntry, ...], event: EventKey) -> TimelineEntry | None:
    """Return the entry that `event` left, None where it left none or has dropped out."""
    for entry in timeline:
        if entry.event == event:
            return entry
    return None


def last_announced(timeline: tuple[TimelineEntry, ...]) -> tuple[TimelineEntry, ...]:
    """Return the announced entries of the last change that had any: the entries of one change have one `applied_ms`."""
    announced = [entry for entry in timeline if entry.announced]
    return tuple(entry for entry in announced if entry.applied_ms == announced[-1].applied_ms)


def extended(timeline: tuple[TimelineEntry, ...], entry: TimelineEntry) -> tuple[TimelineEntry, ...]:
    """Return the timeline with `entry` at its end, of at most 100 entries.

    The first entry stays. Stale entries go before announced ones, the oldest first: a flood of late events cannot wash
    out what people were told.
    """
    longer = (*timeline, entry)
    if len(longer) <= MAX_ENTRIES:
        return longer
    drop = next((index for index, old in enumerate(timeline) if index and not old.announced), 1)
    return longer[:drop] + longer[drop + 1 :]
