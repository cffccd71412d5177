"""Carries out what was decided: publications, inbox entries with the first job of their ladder, links and erasures.

Every effect is idempotent by its id, so carrying a decision out again, after any crash, repeats nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from hub.domain.decisions import Aggregate, AggregateKind, Decision, Document, Publication
from hub.domain.errors import InputError
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import InboxEntry, Job, Notification, appearance_of, job_id
from hub.domain.people import Person, person_of
from hub.domain.topics import namespace_of
from hub.observe import NOTIFICATIONS, PUBLISHED, logger
from hub.service.sending.notifications import Sending
from hub.store.documents import Documents
from hub.store.erasure import Erasure
from hub.store.inbox import AddResult, Created, Duplicate, Erased, Inbox
from hub.store.jobs import Jobs
from hub.store.records import Records, about
from hub.store.scripts import Run, Scripts
from hub.store.topics import PublishResult, Topics
from templates.renderer import Renderer
from templates.texts import TemplateError

_log = logger(__name__)
_MS = 1_000
_SENDINGS: dict[type[AddResult], Sending] = {
    Created: Sending.CREATED,
    Duplicate: Sending.DUPLICATE,
    Erased: Sending.DROPPED,
}


_Rendered: TypeAlias = InboxEntry | Sending | TemplateError
"""An entry, or why there is none."""
_Prepared: TypeAlias = tuple[Notification, _Rendered]


class Effects:
    """Writes the effects of decisions. Raises StoreUnavailable; then all of them are to be written again."""

    def __init__(
        self,
        *,
        scripts: Scripts,
        topics: Topics,
        inbox: Inbox,
        jobs: Jobs,
        records: Records,
        documents: Documents,
        erasure: Erasure,
        renderer: Renderer,
        default_locale: str,
    ) -> None:
        """Take the stores, and the locale of people who have told none."""
        self._scripts = scripts
        self._topics = topics
        self._inbox = inbox
        self._jobs = jobs
        self._records = records
        self._documents = documents
        self._erasure = erasure
        self._renderer = renderer
        self._default_locale = default_locale

    async def carry_out(
        self, decisions: Sequence[Decision], *, known: Mapping[Aggregate, Document] = MappingProxyType({})
    ) -> dict[NotificationId, TemplateError]:
        """Return when every effect of the decisions is written; all but links and erasures in one round trip.

        What is returned are the notifications that nobody is told of, because no text for them can be rendered.
        `known` are documents of people that need not be read again. Publications come last: where one is out, all else
        that comes of its decision is there (`hub.domain.decisions.Precedent`).
        """
        publications = [publication for decision in decisions for publication in decision.publications]
        prepared = await self._prepare([each for decision in decisions for each in decision.notifications], known)
        runs = self._runs_of(prepared)
        replies = await self._scripts.run_mixed([*runs, *self._topics.publishing(publications)])
        results = self._settle(prepared, replies[: len(runs)])
        _count_publications(publications, self._topics.published(replies[len(runs) :]))
        links = [link for decision in decisions for link in decision.links]
        if links:
            await self._documents.link_many(links)
        for decision in decisions:
            if decision.erase is not None:
                await self._erasure.erase(decision.erase.user)
        return {
            notification.id: result
            for (notification, _), result in zip(prepared, results, strict=True)
            if isinstance(result, TemplateError)
        }

    async def notify(self, notifications: Sequence[Notification]) -> list[Sending]:
        """Put notifications into inboxes and start their ladders; return what became of each.

        Raises InputError where one cannot be rendered; the others are sent nevertheless.
        """
        return _sendings(await self.notify_each(notifications))

    async def notify_each(self, notifications: Sequence[Notification]) -> list[Sending | TemplateError]:
        """As `notify`, with the error of each that cannot be rendered in its place."""
        prepared = await self._prepare(notifications, {})
        return self._settle(prepared, await self._scripts.run_mixed(self._runs_of(prepared)))

    async def postpone(self, notifications: Sequence[Notification]) -> list[Sending]:
        """Schedule the appearance of notifications at their `created_ms`; return what became of each.

        Each is rendered now, so that a mistake is told to who makes it, and again at its time. Errors as in `notify`.
        """
        prepared = await self._prepare(notifications, {})
        good = [notification for notification, entry in prepared if isinstance(entry, InboxEntry)]
        await self._inbox.await_many([(each.user, each.collapse_key, each.id) for each in good if each.collapse_key])
        scheduled = iter(await self._jobs.schedule_many([appearance_of(each) for each in good]))
        results = [
            (Sending.SCHEDULED if next(scheduled) else Sending.DUPLICATE) if isinstance(entry, InboxEntry) else entry
            for _, entry in prepared
        ]
        _count(prepared, results)
        return _sendings(results)

    async def _prepare(
        self, notifications: Sequence[Notification], known: Mapping[Aggregate, Document]
    ) -> list[_Prepared]:
        """Render notifications for the people that they are for."""
        if not notifications:
            return []
        people = await self._people({notification.user for notification in notifications}, known)
        return [(each, self._rendered(each, people[each.user])) for each in notifications]

    def _runs_of(self, prepared: Sequence[_Prepared]) -> list[Run]:
        told = [(notification, entry) for notification, entry in prepared if isinstance(entry, InboxEntry)]
        notifications = [notification for notification, _ in told]
        adding = self._inbox.adding(
            [(each.user, entry) for each, entry in told], [about(each) for each in notifications]
        )
        jobs = [job for each in notifications for job in _jobs(each)]
        calling = self._records.calling(each.user for each in notifications)
        return [*adding, *self._records.owning(notifications), *self._jobs.scheduling(jobs), *calling]

    def _settle(self, prepared: Sequence[_Prepared], replies: Sequence[Any]) -> list[Sending | TemplateError]:
        """Return what became of each notification, by the replies to `_runs_of`; count it."""
        added = sum(isinstance(entry, InboxEntry) for _, entry in prepared)
        sent = iter(self._inbox.added(replies[:added]))
        results = [_SENDINGS[type(next(sent))] if isinstance(entry, InboxEntry) else entry for _, entry in prepared]
        _count(prepared, results)
        return results

    async def _people(self, users: set[UserId], known: Mapping[Aggregate, Document]) -> dict[UserId, Person]:
        """Return what is known about each of the users; who has to be read is read in one round trip."""
        aggregates = {user: Aggregate(AggregateKind.PERSON, user) for user in users}
        unread = [aggregate for aggregate in aggregates.values() if aggregate not in known]
        read = zip(unread, await self._documents.read_many(unread) if unread else (), strict=True)
        documents = {**known, **dict(read)}
        return {user: person_of(documents[aggregate], user) for user, aggregate in aggregates.items()}

    def _rendered(self, notification: Notification, person: Person) -> _Rendered:
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


def _count(prepared: Sequence[_Prepared], results: Sequence[Sending | TemplateError]) -> None:
    counts = Counter(
        (notification.rule, "unrenderable" if isinstance(result, TemplateError) else result.value)
        for (notification, _), result in zip(prepared, results, strict=True)
    )
    for (rule, outcome), count in counts.items():
        NOTIFICATIONS.labels(rule, outcome).inc(count)


def _sendings(results: Sequence[Sending | TemplateError]) -> list[Sending]:
    """Return the results. Raises InputError where one is a text that cannot be rendered."""
    problems = [result for result in results if isinstance(result, TemplateError)]
    if problems:
        raise InputError("context", str(problems[0]))
    return [result for result in results if isinstance(result, Sending)]


def _count_publications(publications: Sequence[Publication], results: Sequence[PublishResult]) -> None:
    counts = Counter(
        (namespace_of(publication.topic), type(result).__name__.lower())
        for publication, result in zip(publications, results, strict=True)
    )
    for (namespace, outcome), count in counts.items():
        PUBLISHED.labels(namespace, outcome).inc(count)


def _jobs(notification: Notification) -> tuple[Job, ...]:
    """Return the job that tries the first channel after the inbox, if the ladder has one."""
    if not notification.ladder:
        return ()
    due_ms = notification.created_ms + round(notification.ladder[0].after_s * _MS)
    return (Job(id=job_id(notification.id, 0), step=0, notification=notification, due_ms=due_ms),)
