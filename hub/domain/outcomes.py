"""Outcomes: what happens to notifications, told to whoever keeps it for ever, as CloudEvents 1.0."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

import msgspec

from hub.domain.channels import Channel
from hub.domain.ids import NotificationId, RuleName, UserId
from hub.domain.notifications import Lane

SOURCE = "/doorbell"
_MS = 1_000


class OutcomeKind(StrEnum):
    """What has happened; the `type` of the event."""

    CREATED = "notification.created"
    """It stands in the inbox."""
    RULED = "notification.ruled"
    """Preferences or protective rules held a step back, dropped it or let it pass."""
    ATTEMPTED = "notification.attempted"
    """A step was tried, or skipped."""
    REPORTED = "notification.reported"
    """A provider said later how far a message has come."""
    SEEN = "notification.seen"
    READ = "notification.read"
    CLICKED = "notification.clicked"
    ARCHIVED = "notification.archived"


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing that has happened to a notification. Times are in Unix ms. It holds no contact and no text."""

    notification_id: NotificationId
    user_id: UserId
    at_ms: int
    rule: RuleName | None = None
    """This and the next three: of `created`."""
    event_type: str | None = None
    category: str | None = None
    lane: Lane | None = None
    channel: Channel | None = None
    """Of `ruled`, `attempted` and `reported`."""
    step: int | None = None
    """Of the ladder, from 0: of `ruled` and `attempted`."""
    number: int | None = None
    """Which ruling or try of the step, from 0."""
    verdict: str | None = None
    until_ms: int | None = None
    outcome: str | None = None
    provider_id: str | None = None
    status: str | None = None
    """The provider's word, of `reported`."""
    detail: str | None = None


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """An outcome as it waits to be told. `number` counts the outcomes of its notification, from 1."""

    kind: OutcomeKind
    outcome: Outcome


class OutcomeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome in its envelope. The same outcome told again has the same `id`."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = SOURCE
    type: OutcomeKind
    subject: str
    """The notification's id; also the record's key."""
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    partitionkey: str
    sequence: str
    """Orders the outcomes of one notification (CloudEvents extension `sequence`); a number left out was dropped."""
    data: Outcome


_encode: Callable[[Waiting | OutcomeEvent], bytes] = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Waiting).decode


def waiting_text(kind: OutcomeKind, outcome: Outcome) -> bytes:
    """Return an outcome as it waits."""
    return _encode(Waiting(kind, outcome))


def event_of(text: bytes, number: int) -> OutcomeEvent:
    """Return the event of an outcome that has waited. Raises msgspec.DecodeError for a text of another version."""
    waiting = _decode(text)
    outcome, notification = waiting.outcome, waiting.outcome.notification_id
    return OutcomeEvent(
        id=f"{notification}:{outcome.at_ms}:{number}",
        type=waiting.kind,
        subject=notification,
        time=datetime.fromtimestamp(outcome.at_ms / _MS, UTC).isoformat(timespec="milliseconds"),
        partitionkey=notification,
        sequence=f"{number:06}",
        data=outcome,
    )


def encoded(event: OutcomeEvent) -> bytes:
    """Return an event in CloudEvents' structured mode, as JSON."""
    return _encode(event)
