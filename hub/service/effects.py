"""Carries out what was decided: publications, inbox entries with the first job of their ladder, links and erasures.

Every effect is idempotent by its id, so carrying a decision out again, after any crash, repeats nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from hub.domain.decisions import Aggregate, AggregateKind, Decision, Link, Publication
from hub.domain.ids import UserId
from hub.domain.notifications import InboxEntry, Job, Notification, job_id
from hub.domain.people import Person, person_of
from hub.domain.topics import namespace_of
from hub.observe import NOTIFICATIONS, PUBLISHED, logger
from hub.store.documents import Documents
from hub.store.inbox import Created, Inbox
from hub.store.jobs import Jobs
from hub.store.topics import Topics
from templates.renderer import Renderer
from templates.texts import TemplateError

_log = logger(__name__)
_MS = 1_000


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
        await asyncio.gather(self._publish(publications), self.notify(notifications), self._link(links))
        for decision in decisions:
            if decision.erase is not None:
                await self._documents.erase(decision.erase.user)

    async def notify(self, notifications: Sequence[Notification]) -> None:
        """Put notifications into inboxes and start their ladders. Those for erased people are dropped.

        A notification whose text cannot be rendered is logged and counted, and holds up nobody else's.
        """
        if not notifications:
            return
        people = await self.people({notification.user for notification in notifications})
        counts: Counter[tuple[str, str]] = Counter()
        entries: list[tuple[UserId, InboxEntry]] = []
        jobs: list[Job] = []
        for notification in notifications:
            person = people[notification.user]
            entry = None if person.erased else self._rendered(notification, person)
            if entry is None:
                counts[notification.rule, "erased" if person.erased else "unrenderable"] += 1
                continue
            entries.append((notification.user, entry))
            jobs.extend(_first_job(notification))
        _, results = await asyncio.gather(self._jobs.schedule_many(jobs), self._inbox.add_many(entries))
        for (_, entry), result in zip(entries, results, strict=True):
            counts[entry.event_type, "created" if isinstance(result, Created) else "duplicate"] += 1
        for (rule, outcome), count in counts.items():
            NOTIFICATIONS.labels(rule, outcome).inc(count)

    async def people(self, users: set[UserId]) -> dict[UserId, Person]:
        """Return what is known about each of the users, in one round trip."""
        wanted = sorted(users)
        documents = await self._documents.read_many([Aggregate(AggregateKind.PERSON, user) for user in wanted])
        return {user: person_of(document, user) for user, document in zip(wanted, documents, strict=True)}

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

    def _rendered(self, notification: Notification, person: Person) -> InboxEntry | None:
        context = {**notification.context, "name": person.name}
        locale = person.locale or self._default_locale
        try:
            text = self._renderer.inbox(notification.template, locale, person.time_zone or "UTC", context)
        except TemplateError as error:
            _log.error("an inbox entry cannot be rendered", rule=notification.rule, problem=str(error))
            return None
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
