"""`notifications.get` and `notifications.list`: what became of notifications, for the services that sent them.

Whoever may ask is no shopper: a record tells of channels, providers and of what a person's preferences forbid.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from hub.domain.channels import Channel
from hub.domain.ids import NotificationId, RuleName, UserId
from hub.domain.notifications import EntryState, Lane, Step
from hub.service.failures import Failure, OperationFailed
from hub.service.operations import SERVICES, AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.service.sending.explanation import explained
from hub.service.sending.notifications import User
from hub.store.inbox import InboxItem
from hub.store.records import Attempt, Receipt, Record, RecordedRuling

MAX_PAGE = 100
DEFAULT_PAGE = 20
_RATE = Rate(count=600, window_s=60.0)

Id = Annotated[str, Meta(min_length=1, max_length=128)]


class RecordBook(Protocol):
    """The records (`hub.store.records.Records`). Every method raises StoreUnavailable."""

    async def user_of(self, notification: NotificationId) -> UserId | None:
        """Return whose notification it is."""
        ...

    async def read(self, user: UserId, notification: NotificationId) -> Record | None:
        """Return what is noted of one."""
        ...

    async def page(self, user: UserId, *, cursor: NotificationId | None, limit: int) -> list[Record]:
        """Return some of a person's records, the newest first. Raises InputError for a cursor that is none."""
        ...


class Entries(Protocol):
    """The inboxes (`hub.store.inbox.Inbox`)."""

    async def items_of(self, user: UserId, ids: Sequence[NotificationId]) -> list[InboxItem | None]:
        """Return entries with their states, None where one is not there. Raises StoreUnavailable."""
        ...


class GetNotification(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which notification: the id that `notifications.send` and the inbox have."""

    id: Id


class ListNotifications(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose notifications. `cursor` is the `next_cursor` of the page before; without it, the newest."""

    user: User
    cursor: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a notification as a whole. Times are in Unix ms."""

    id: NotificationId
    user: UserId
    rule: RuleName | None
    event_type: str | None
    category: str | None
    lane: Lane | None
    created_ms: int | None
    """This and the fields above: null where it began before records kept it."""
    title: str | None
    """As the inbox shows it; null where it has left the inbox."""
    state: EntryState | None
    """How far the person has come with the inbox entry; null where it has left the inbox."""
    seen_ms: int | None
    read_ms: int | None
    clicked_ms: int | None
    archived_ms: int | None


class NotificationRecord(_Told, frozen=True, kw_only=True):
    """Everything that is noted of a notification."""

    expires_ms: int | None
    collapse_key: str | None
    correlation_id: str
    ladder: tuple[Step, ...]
    """The channels after the inbox."""
    decisions: tuple[RecordedRuling, ...]
    """What preferences and protective rules said to its steps, in the order of time."""
    attempts: tuple[Attempt, ...]
    """What was tried, with the providers' ids, in the order of time."""
    deliveries: tuple[Receipt, ...]
    """How far messages are known to have come after a provider took them: of each channel the furthest."""
    explanation: tuple[str, ...]
    """All of it in words, step by step."""


class StepOutcome(msgspec.Struct, frozen=True):
    """What became of a step, by its last attempt."""

    channel: Channel
    outcome: str
    at_ms: int


class ListedNotification(_Told, frozen=True, kw_only=True):
    """A notification in a person's feed."""

    steps: tuple[StepOutcome, ...]
    """Of the ladder, those that were tried."""


class NotificationList(msgspec.Struct, frozen=True):
    """Some of a person's notifications, the newest first. `next_cursor` is null on the last page."""

    notifications: tuple[ListedNotification, ...]
    next_cursor: NotificationId | None


class NotificationRecords:
    """Shows services what became of notifications."""

    def __init__(self, records: RecordBook, entries: Entries) -> None:
        self._records = records
        self._entries = entries

    async def get(self, call: Call, request: GetNotification) -> NotificationRecord:
        """Return one record. Raises OperationFailed (NOT_FOUND, also where it is gone), StoreUnavailable."""
        notification = NotificationId(request.id)
        user = await self._records.user_of(notification)
        if user is None:
            raise OperationFailed(Failure.NOT_FOUND, f"nothing is known of a notification {request.id}")
        record, (item,) = await asyncio.gather(
            self._records.read(user, notification), self._entries.items_of(user, [notification])
        )
        if record is None:
            raise OperationFailed(Failure.NOT_FOUND, f"nothing is known any more of the notification {request.id}")
        about = record.about
        return NotificationRecord(
            **_told(record, item),
            expires_ms=about.expires_ms if about else None,
            collapse_key=about.collapse_key if about else None,
            correlation_id=about.correlation_id if about else "",
            ladder=tuple(Step(*step) for step in about.ladder) if about else (),
            decisions=record.decisions,
            attempts=record.attempts,
            deliveries=record.receipts,
            explanation=explained(record),
        )

    async def show(self, call: Call, request: ListNotifications) -> NotificationList:
        """Return one page of a person's notifications. Raises InputError, StoreUnavailable."""
        user, cursor = UserId(request.user), NotificationId(request.cursor) if request.cursor else None
        # One more than asked for tells whether this is the last page.
        found = await self._records.page(user, cursor=cursor, limit=request.limit + 1)
        shown = found[: request.limit]
        items = await self._entries.items_of(user, [record.id for record in shown])
        listed = tuple(
            ListedNotification(**_told(record, item), steps=_outcomes(record))
            for record, item in zip(shown, items, strict=True)
        )
        return NotificationList(listed, shown[-1].id if len(found) > request.limit else None)

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what services can ask for here."""
        get: Operation[GetNotification, NotificationRecord] = Operation(
            name="notifications.get",
            summary="Show what became of a notification, step by step, for a week after the last that happened to it.",
            request=GetNotification,
            response=NotificationRecord,
            roles=SERVICES,
            http=Http("GET", "/v1/notifications/{id}"),
            handler=self.get,
            rate=_RATE,
            repeat=Repeat.READS,
            errors=(Failure.NOT_FOUND,),
        )
        show: Operation[ListNotifications, NotificationList] = Operation(
            name="notifications.list",
            summary="Show one person's notifications of the last week, the newest first, and what became of them.",
            request=ListNotifications,
            response=NotificationList,
            roles=SERVICES,
            http=Http("GET", "/v1/notifications"),
            handler=self.show,
            rate=_RATE,
            repeat=Repeat.READS,
        )
        return get, show


def _told(record: Record, item: InboxItem | None) -> dict[str, Any]:
    about = record.about
    return {
        "id": record.id,
        "user": record.user,
        "rule": record.rule,
        "event_type": about.event_type if about else None,
        "category": about.category if about else None,
        "lane": about.lane if about else None,
        "created_ms": about.created_ms if about else None,
        "title": item.entry.title if item else None,
        "state": item.state if item else None,
        "seen_ms": record.seen_ms,
        "read_ms": record.read_ms,
        "clicked_ms": record.clicked_ms,
        "archived_ms": record.archived_ms,
    }


def _outcomes(record: Record) -> tuple[StepOutcome, ...]:
    last = {attempt.step: StepOutcome(attempt.channel, attempt.outcome, attempt.at_ms) for attempt in record.attempts}
    return tuple(last[step] for step in sorted(last))
