"""Digests: several notifications of one category in one message of a channel.

A digest opens with the first step that gathers in it, and closes a window after that, whatever comes meanwhile. A job
stands for it in the delay queue: when that is due, the message goes out.
"""

from __future__ import annotations

from hub.domain.ids import EventKey, NotificationId, RuleName, TemplateName, effect_id
from hub.domain.notifications import Job, Notification, Step, job_id

RULE = RuleName("digest")
TEMPLATE = TemplateName("digest")
EVENT_TYPE = "digest.closed"
MAX_DIGEST_S = 7 * 86_400
"""How long a digest may gather."""


def name_of(job: Job) -> str:
    """Return which of the person's digests, in the job's lane, a step gathers in."""
    return f"{job.notification.category}:{job.channel}"


def closing_job(first: Job, *, now_ms: int) -> Job:
    """Return the job that closes the digest which a step opens now.

    Its notification is of the person, the category and the lane of the first one; what it tells is known only when the
    digest closes.
    """
    about = first.notification
    closes_ms = now_ms + about.digest_s * 1_000
    digest = NotificationId(effect_id(EventKey(f"digest:{first.id}"), about.user, str(closes_ms)))
    notification = Notification(
        id=digest,
        user=about.user,
        rule=RULE,
        event_type=EVENT_TYPE,
        category=about.category,
        lane=about.lane,
        template=TEMPLATE,
        context={},
        created_ms=now_ms,
        ladder=(Step(first.channel),),
        correlation_id=about.correlation_id,
    )
    return Job(job_id(digest, 0), 0, notification, closes_ms, digest=name_of(first))
