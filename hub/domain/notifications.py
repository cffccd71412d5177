"""Notifications: what one person should know because of an event, and the ladder it climbs."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from hub.domain.channels import INBOX, Channel
from hub.domain.ids import JobId, NotificationId, RuleName, TemplateName, UserId


class Lane(StrEnum):
    """Jobs of one lane never wait behind jobs of another."""

    CRITICAL = "critical"
    TRANSACTIONAL = "transactional"
    CONVERSATIONAL = "conversational"
    MARKETING = "marketing"


MARKETING = "marketing"
"""The category of promotion. It goes by the lane of that name alone, in which nothing goes out without consent."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rung of the ladder: try `channel` if still unseen `after_s` seconds after the step before."""

    channel: Channel
    after_s: float = 0.0


class Throttle(msgspec.Struct, frozen=True):
    """At most `count` notifications of a `key` reach one person beyond the inbox within any `window_s` seconds."""

    key: str
    count: int
    window_s: int


class Notification(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one person should know, before any text is rendered.

    `context` is what the templates may show: JSON values only. `link` is a path within the shop or None.
    """

    id: NotificationId
    user: UserId
    rule: RuleName
    event_type: str
    category: str
    lane: Lane
    template: TemplateName
    context: dict[str, Any]
    created_ms: int
    ladder: tuple[Step, ...] = ()
    """The steps after the inbox, in order; empty where the inbox is all."""
    expires_ms: int | None = None
    collapse_key: str | None = None
    link: str | None = None
    correlation_id: str = ""
    cancel_key: str = ""
    """The name under which a service can call off what has not been sent yet; empty: none."""
    generation: int = 0
    """Which generation of its cancel key it was made under: a cancel raises it, and what is below is not sent."""
    throttle: Throttle | None = None
    digest_s: int = 0
    """For how long a step gathers with others of its category and channel into one message; 0: it goes alone."""
    bulk: str = ""
    """The bulk that it belongs to; empty: none."""

    @property
    def is_marketing(self) -> bool:
        """Whether it is marketing, by its lane or by its category: whoever mixes them up gets round nothing by that."""
        return self.lane is Lane.MARKETING or self.category == MARKETING


class InboxEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rendered notification as it stands in a person's inbox and on the wire."""

    id: NotificationId
    event_type: str
    category: str
    title: str
    body: str
    created_ms: int
    link: str | None = None
    expires_ms: int | None = None
    collapse_key: str | None = None
    data: dict[str, Any] = {}


class EntryState(StrEnum):
    """How far a person has come with an inbox entry. Each state includes the ones before it."""

    UNSEEN = "unseen"
    SEEN = "seen"
    """`inbox.ack`: the app has shown it. The ladder stops here."""
    READ = "read"
    ARCHIVED = "archived"


APPEARANCE = -1
"""The step before the ladder, of a notification that was sent ahead of its time: it comes to the inbox."""


class Job(msgspec.Struct, frozen=True, omit_defaults=True):
    """One due step of a ladder, as it waits in the delay queue."""

    id: JobId
    step: int
    """The index into `notification.ladder`, or APPEARANCE."""
    notification: Notification
    due_ms: int
    digest: str = ""
    """The person's digest that this job closes (`hub.domain.digests`); empty: it is a step of its own."""

    @property
    def channel(self) -> Channel:
        """The channel this step tries."""
        return INBOX if self.step == APPEARANCE else self.notification.ladder[self.step].channel

    @property
    def lane(self) -> Lane:
        """The lane it waits in."""
        return self.notification.lane


def job_id(notification: NotificationId, step: int) -> JobId:
    """Return the id of a ladder's step: the same for every reprocessing of the event."""
    return JobId(f"{notification}:{step}")


def later_ids(job: Job) -> tuple[JobId, ...]:
    """Return the ids of the steps that may follow a job."""
    about = job.notification
    return tuple(job_id(about.id, step) for step in range(job.step + 1, len(about.ladder)))


def appearance_of(notification: Notification) -> Job:
    """Return the job by which a notification comes to the inbox at `created_ms`, and its ladder begins."""
    return Job(job_id(notification.id, APPEARANCE), APPEARANCE, notification, due_ms=notification.created_ms)
