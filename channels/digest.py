"""Digests as delivery sees them: steps gather, and when the digest closes, one message tells what is left of them.

What has been seen, has expired or was called off meanwhile is left out. Where a single one is left, its own message
goes out. After the message each one's ladder goes on, with its own wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from channels.ladder import Facts, why_over
from channels.links import in_text
from channels.ports import RecordBook
from channels.standing import Standing, Standings
from hub.domain.channels import Channel
from hub.domain.digests import closing_job
from hub.domain.notifications import Job, Notification
from hub.domain.people import Person
from hub.store.digests import Gathering
from hub.store.jobs import Claimed, Note
from hub.store.records import Attempt
from templates.sandbox import VALUE_MAX
from templates.texts import InboxText, TemplateError

GATHERED = "gathered"
"""The outcome, in the record, of a step that has gone into a digest."""
MAX_LISTED = 20
"""Notifications that a message lists; it tells the number of the others."""


class DigestQueue(Protocol):
    """The digests in the delay queue (`hub.store.digests.Digests`). Every method raises StoreUnavailable."""

    async def gather(self, claimed: Claimed, closing: Job) -> Gathering:
        """Move a job in hand into the person's open digest."""
        ...

    async def take(self, claimed: Claimed) -> tuple[Job, ...] | None:
        """Close a digest and return what is in it; None where the lease is lost."""
        ...


class Texts(Protocol):
    """The words of notifications (`templates.renderer.Renderer`)."""

    def inbox(self, template: str, locale: str, time_zone: str, context: Mapping[str, Any], /) -> InboxText:
        """Return a title and a body. Raises TemplateError."""
        ...


class Links(Protocol):
    """The links of notifications (`channels.registry.Tools`)."""

    def tracked_link(self, notification: Notification, channel: Channel) -> str:
        """Return a notification's link as it goes out over a channel."""
        ...

    def track(self, url: str, notification: Notification, channel: Channel) -> str:
        """Return a URL within its texts as it goes out over a channel."""
        ...


class LeftOut(msgspec.Struct, frozen=True):
    """A step that gathered and is not in the message, what became of it, and why."""

    job: Job
    outcome: str
    reason: str


class Contents(msgspec.Struct, frozen=True):
    """What is in a digest when it closes. `message` is what goes out, None where nothing is left to tell."""

    jobs: tuple[Job, ...]
    left_out: tuple[LeftOut, ...]
    message: Notification | None

    def notes(self, closing: Claimed, attempt: Attempt) -> list[Note]:
        """Return what the records of the single notifications say, by what became of the digest's message."""
        number = closing.attempt + 1
        told = [
            (
                job.notification,
                replace(attempt, step=job.step, number=number, detail=_in_digest(closing.job, attempt.detail)),
            )
            for job in self.jobs
        ]
        untold = [
            (
                each.job.notification,
                replace(
                    attempt,
                    step=each.job.step,
                    number=number,
                    outcome=each.outcome,
                    provider_id="",
                    detail=each.reason,
                ),
            )
            for each in self.left_out
        ]
        return told + untold


class Digester:
    """Gathers steps, and finds out what a digest has to tell. Raises StoreUnavailable."""

    def __init__(
        self,
        queue: DigestQueue,
        *,
        standings: Standings,
        records: RecordBook,
        texts: Texts,
        links: Links,
        default_locale: str,
    ) -> None:
        """Take `links`, which makes the links of the single notifications, and the locale of who has told none."""
        self._queue = queue
        self._standings = standings
        self._records = records
        self._texts = texts
        self._links = links
        self._default_locale = default_locale

    async def gather(self, claimed: Claimed, *, now_ms: int) -> Gathering:
        """Move a job in hand into the person's digest, which closes a window from now if this opens it."""
        job = claimed.job
        gathering = await self._queue.gather(claimed, closing_job(job, now_ms=now_ms))
        if gathering is Gathering.GATHERED:
            attempt = Attempt(now_ms, job.step, claimed.attempt, job.channel, GATHERED)
            await self._records.record_attempt(job.notification, attempt)
        return gathering

    async def close(self, claimed: Claimed, person: Person, facts: Facts) -> Contents | None:
        """Close the digest of a closing job in hand and return what it has to tell; None where the lease is lost."""
        jobs = await self._queue.take(claimed)
        if jobs is None:
            return None
        left: list[tuple[Job, InboxText]] = []
        out: list[LeftOut] = []
        for job, standing in zip(jobs, await self._standings.of(jobs), strict=True):
            try:
                over = _over(job, standing, facts) or self._text(job, person)
            except TemplateError as error:
                over = LeftOut(job, "failed", str(error))
            if isinstance(over, LeftOut):
                out.append(over)
            else:
                left.append((job, over))
        message = self._message(claimed.job, left) if left else None
        return Contents(tuple(job for job, _ in left), tuple(out), message)

    def _text(self, job: Job, person: Person) -> InboxText:
        context = {**job.notification.context, "name": person.name}
        locale = person.locale or self._default_locale
        return self._texts.inbox(job.notification.template, locale, person.time_zone or "UTC", context)

    def _message(self, closing: Job, left: Sequence[tuple[Job, InboxText]]) -> Notification:
        if len(left) == 1:
            return left[0][0].notification
        newest_first = left[::-1][:MAX_LISTED]
        updates = [self._update(job.notification, text, closing.channel) for job, text in newest_first]
        context = {"updates": updates, "count": len(left), "more": len(left) - len(updates)}
        return replace(closing.notification, context=context)

    def _update(self, about: Notification, text: InboxText, channel: Channel) -> dict[str, str]:
        """Return what the message says of a notification; its links tell of this one when they are followed."""
        body = in_text(text.body, lambda url: self._links.track(url, about, channel))
        # What is too long for a value of a template would be cut, and so might a link in it.
        return {
            "title": text.title,
            "body": body if len(body) <= VALUE_MAX else text.body,
            "link": self._links.tracked_link(about, channel),
        }


def _over(job: Job, standing: Standing, facts: Facts) -> LeftOut | None:
    over = why_over(
        job,
        replace(facts, state=standing.state, cancelled=standing.cancelled, replaced=standing.replaced),
    )
    return LeftOut(job, over.outcome, over.reason) if over is not None else None


def _in_digest(closing: Job, reason: str) -> str:
    digest = f"in digest {closing.notification.id}"
    return f"{digest}: {reason}" if reason else digest
