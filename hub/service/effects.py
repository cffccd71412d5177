"""Carries out what was decided: publications, inbox entries with the first job of their ladder, links and erasures.

Every effect is idempotent by its id, so carrying a decision out again, after any crash, repeats nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from hub.domain.decisions import Aggregate, AggregateKind, Decision, Link, Publication
from hub.domain.errors import InputError
from hub.domain.ids import UserId
from hub.domain.notifications import InboxEntry, Job, Notification, job_id
from hub.domain.people import Person, decode_person
from hub.domain.topics import namespace_of
from hub.observe import NOTIFICATIONS, PUBLISHED, logger
from hub.service.notifications import Sending
from hub.store.documents import Documents
from hub.store.inbox import AddResult, Created, Duplicate, Erased, Inbox
from hub.store.jobs import Jobs
from hub.store.topics import Topics
from templates.renderer import Renderer
from templates.texts import TemplateError

_log = logger(__name__)
_MS = 1_000
_SENDINGS: dict[type[AddResult], Sending] = {
    Created: Sending.CREATED,
    Duplicate: Sending.DUPLICATE,
    Erased: Sending.DROPPED,
}


class Effects:
    """Writes the effects of decisions. Raises StoreUnavailable; then all of them are to be written again."""

    def __init__(
        self,
        *,
        topics: Topics,
        inbox: Inbox,
        jobs: Jobs,
        documents: Documents,
        renderer: Renderer,
        default_locale: str,
    ) -> None:
        """Take the stores, and the locale of people who have told none."""
        self._topics = topics
        self._inbox = inbox
        self._jobs = jobs
        self._documents = documents
        self._renderer = renderer
        self._default_locale = default_locale

    async def carry_out(self, decisions: Sequence[Decision]) -> None:
        """Return when every effect of the decisions is written."""
        publications = [publication for decision in decisions for publication in decision.publications]
        notifications = [notification for decision in decisions for notification in decision.notifications]
        links = [link for decision in decisions for link in decision.links]
        # Side by side, so that Redis works on one pipeline while the next is being packed.
        await asyncio.gather(self._publish(publications), self._notify(notifications), self._link(links))
        for decision in decisions:
            if decision.erase is not None:
                await self._documents.erase(decision.erase.user)

    async def notify(self, notifications: Sequence[Notification]) -> list[Sending]:
        """Put notifications into inboxes and start their ladders; return what became of each.

        Raises InputError where one cannot be rendered; the others are sent nevertheless.
        """
        results = await self._notify(notifications)
        problems = [result for result in results if isinstance(result, TemplateError)]
        if problems:
            raise InputError("context", str(problems[0]))
        return [result for result in results if isinstance(result, Sending)]

    async def _notify(self, notifications: Sequence[Notification]) -> list[Sending | TemplateError]:
        """As `notify`, with the problem in the place of a notification whose text cannot be rendered."""
        if not notifications:
            return []
        people = await self.people({notification.user for notification in notifications})
        rendered = [self._rendered(notification, people[notification.user]) for notification in notifications]
        entries: list[tuple[UserId, InboxEntry]] = []
        jobs: list[Job] = []
        for notification, entry in zip(notifications, rendered, strict=True):
            if isinstance(entry, InboxEntry):
                entries.append((notification.user, entry))
                jobs.extend(_first_job(notification))
        _, added = await asyncio.gather(self._jobs.schedule_many(jobs), self._inbox.add_many(entries))
        sent = iter(added)
        results = [_SENDINGS[type(next(sent))] if isinstance(entry, InboxEntry) else entry for entry in rendered]
        counts = Counter(
            (notification.rule, "unrenderable" if isinstance(result, TemplateError) else result.value)
            for notification, result in zip(notifications, results, strict=True)
        )
        for (rule, outcome), count in counts.items():
            NOTIFICATIONS.labels(rule, outcome).inc(count)
        return results

    async def people(self, users: set[UserId]) -> dict[UserId, Person]:
        """Return what is known about each of the users, in one round trip."""
        wanted = sorted(users)
        documents = await self._documents.read_many([Aggregate(AggregateKind.PERSON, user) for user in wanted])
        return {
            user: decode_person(document.body) if document.version else Person(user)
            for user, document in zip(wanted, documents, strict=True)
        }

    async def _publish(self, publications: Sequence[Publication]) -> None:
        if not publications:
            return
        results = await self._topics.publish_many(publications)
        counts: Counter[tuple[str, str]] = Counter(
            (namespace_of(publication.topic), type(result).__name__.lower())
            for publication, result in zip(publications, results, strict=True)
        )
        for (namespace, outcome), count in counts.items():
            PUBLISHED.labels(namespace, outcome).inc(count)

    async def _link(self, links: Sequence[Link]) -> None:
        if links:
            await self._documents.link_many(links)

    def _rendered(self, notification: Notification, person: Person) -> InboxEntry | Sending | TemplateError:
        if person.erased:
            return Sending.DROPPED
        context = {**notification.context, "name": person.name}
        locale = person.locale or self._default_locale
        try:
            text = self._renderer.inbox(notification.template, locale, person.time_zone or "UTC", context)
        except TemplateError as error:
            _log.error("an inbox entry cannot be rendered", rule=notification.rule, problem=str(error))
            return error
        return InboxEntry(
            id=notification.id,
            event_type=notification.event_type,
            category=notification.category,
            title=text.title,
            body=text.body,
            created_ms=notification.created_ms,
            link=notification.link,
            expires_ms=notification.expires_ms,
            collapse_key=notification.collapse_key,
            data=notification.context,
        )


def _first_job(notification: Notification) -> tuple[Job, ...]:
    """Return the job that tries the first channel after the inbox, if the ladder has one."""
    if not notification.ladder:
        return ()
    due_ms = notification.created_ms + round(notification.ladder[0].after_s * _MS)
    return (Job(id=job_id(notification.id, 0), step=0, notification=notification, due_ms=due_ms),)
