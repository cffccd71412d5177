"""A bulk: one message for many people, and what became of it for each of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NewType

import msgspec

from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId, effect_id, event_key
from hub.domain.notifications import Lane, Notification, Step, Throttle

BulkId = NewType("BulkId", str)

MAX_RECIPIENTS = 10_000
"""That one bulk may list; a segment may have more."""
RULE = RuleName("bulk")
EVENT_TYPE = "notification.sent"
_SOURCE = "doorbell:notifications.send_many"


class Recipient(msgspec.Struct, frozen=True, array_like=True):
    """One of the people, and what the template shows to them alone."""

    user: UserId
    context: dict[str, Any] = {}


class Bulk(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent. Either `chunks` of recipients are kept with it, or it goes to a `segment`.

    `expected` is how many people that is; of a segment what was so when the bulk was taken.
    """

    id: BulkId
    by: str
    created_ms: int
    """When it is sent, which may be ahead."""
    category: str
    lane: Lane
    template: TemplateName
    context: dict[str, Any] = {}
    """What the template shows to everybody; a recipient's own goes before it."""
    ladder: tuple[Step, ...] = ()
    expires_ms: int | None = None
    collapse_key: str | None = None
    link: str | None = None
    throttle: Throttle | None = None
    correlation_id: str = ""
    expected: int
    refused: int = 0
    """Recipients that were listed and not taken."""
    chunks: int = 0
    segment: str = ""
    generation: str = ""
    """Of the segment: who was put into it when."""


class BulkOutcome(StrEnum):
    """What became of the message for one person, the best that is known. Who has none yet is waiting."""

    SENT = "sent"
    """A provider has taken it on one channel; where there is no ladder, it is in the inbox."""
    UNKNOWN = "unknown"
    """A provider may have taken it."""
    FAILED = "failed"
    """Every channel that could be tried has failed."""
    SKIPPED = "skipped"
    """Nobody was asked: seen already, expired, no address, no consent, switched off, erased."""
    CANCELLED = "cancelled"
    """The bulk was cancelled before anything went out."""
    REFUSED = "refused"
    """It could not be put into the inbox: the text cannot be rendered for this person, or what is kept not be read."""


_OF_STEPS: Mapping[str, BulkOutcome] = MappingProxyType(
    {
        "delivered": BulkOutcome.SENT,
        "unknown": BulkOutcome.UNKNOWN,
        "failed": BulkOutcome.FAILED,
        "buried": BulkOutcome.FAILED,
        "skipped": BulkOutcome.SKIPPED,
        "dropped": BulkOutcome.SKIPPED,
        "cancelled": BulkOutcome.CANCELLED,
    }
)


def outcome_of(step: str) -> BulkOutcome:
    """Return what the outcome of a step that is over means for the person. What is not listed was not sent."""
    return _OF_STEPS.get(step, BulkOutcome.SKIPPED)


def bulk_id(caller: str, own: str) -> BulkId:
    """Return the id of a bulk: the same for the same id of the same caller's own."""
    return BulkId(event_key(f"{_SOURCE}:{caller}", own))


def notification_of(bulk: Bulk, recipient: Recipient) -> Notification:
    """Return what one person is sent. Its id is the same however often the bulk is worked off."""
    return Notification(
        id=NotificationId(effect_id(event_key(_SOURCE, bulk.id), recipient.user, RULE)),
        user=recipient.user,
        rule=RULE,
        event_type=EVENT_TYPE,
        category=bulk.category,
        lane=bulk.lane,
        template=bulk.template,
        context={**bulk.context, **recipient.context},
        created_ms=bulk.created_ms,
        ladder=bulk.ladder,
        expires_ms=bulk.expires_ms,
        collapse_key=bulk.collapse_key,
        link=bulk.link,
        throttle=bulk.throttle,
        correlation_id=bulk.correlation_id,
        bulk=bulk.id,
    )
