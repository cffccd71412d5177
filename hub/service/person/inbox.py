"""The operations on a person's own inbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from hub.domain.errors import InputError
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import EntryState, InboxEntry
from hub.service.operations import PEOPLE, AnyOperation, Call, Handler, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.store.inbox import MAX_MARKED, MAX_PAGE, InboxItem, InboxPage

DEFAULT_PAGE = 20
_READS = Rate(count=120, window_s=60.0)
_MARKS = Rate(count=300, window_s=60.0)


class Entries(Protocol):
    """The inboxes (hub.store.inbox). Every method raises StoreUnavailable."""

    async def page(
        self, user: UserId, *, cursor: str | None, limit: int, unread_only: bool, category: str | None, archived: bool
    ) -> InboxPage:
        """Return some entries, the newest first. Raises InputError for a cursor that no page has given."""
        ...

    async def mark(self, user: UserId, ids: Sequence[NotificationId] | None, state: EntryState) -> int:
        """Move entries on, None: all of them; return the unread count."""
        ...


class ListInbox(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of the inbox to show. `cursor` is the `next_cursor` of the page before; without it, the newest."""

    cursor: Annotated[str, Meta(max_length=64)] | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    unread: bool = False
    """Only entries that are not read."""
    category: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    archived: bool = False
    """The archived entries instead of the others."""


class ListedEntry(InboxEntry, frozen=True, omit_defaults=True, kw_only=True):
    """An entry, and how far the person has come with it."""

    state: EntryState


class InboxList(msgspec.Struct, frozen=True):
    """Some entries, the newest first. `unread` counts the whole inbox; `next_cursor` is null on the last page."""

    entries: tuple[ListedEntry, ...]
    unread: int
    next_cursor: str | None


class MarkEntries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which entries: some `ids`, or `all` of them. Ids that are not in the inbox are passed over."""

    ids: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=128)], ...], Meta(max_length=MAX_MARKED)] = ()
    all: bool = False


class Marked(msgspec.Struct, frozen=True):
    """How many entries are still unread."""

    unread: int


class InboxService:
    """Shows people their inbox, and notes what they have seen."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries

    async def show(self, call: Call, request: ListInbox) -> InboxList:
        """Return one page. Raises InputError, StoreUnavailable."""
        page = await self._entries.page(
            call.who.user,
            cursor=request.cursor,
            limit=request.limit,
            unread_only=request.unread,
            category=request.category,
            archived=request.archived,
        )
        return InboxList(tuple(map(_listed, page.items)), page.unread, page.cursor)

    async def ack(self, call: Call, request: MarkEntries) -> Marked:
        """Note that the app has shown entries: their ladders stop. Raises InputError, StoreUnavailable."""
        return await self._mark(call, request, EntryState.SEEN)

    async def read(self, call: Call, request: MarkEntries) -> Marked:
        """Note that the person has read entries. Raises InputError, StoreUnavailable."""
        return await self._mark(call, request, EntryState.READ)

    async def archive(self, call: Call, request: MarkEntries) -> Marked:
        """Put entries out of the way. Raises InputError, StoreUnavailable."""
        return await self._mark(call, request, EntryState.ARCHIVED)

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what people can ask for here."""
        show: Operation[ListInbox, InboxList] = Operation(
            name="inbox.list",
            summary="Show your inbox, the newest first, with the number of unread entries.",
            request=ListInbox,
            response=InboxList,
            roles=PEOPLE,
            http=Http("GET", "/v1/inbox"),
            handler=self.show,
            rate=_READS,
            repeat=Repeat.READS,
        )
        return (
            show,
            _marking("ack", "Say that your app has shown entries; other channels are not tried any more.", self.ack),
            _marking("read", "Say that you have read entries.", self.read),
            _marking("archive", "Archive entries.", self.archive),
        )

    async def _mark(self, call: Call, request: MarkEntries, state: EntryState) -> Marked:
        if request.all == bool(request.ids):
            raise InputError("ids", "give either some ids, or all: true")
        ids = None if request.all else [NotificationId(entry) for entry in request.ids]
        return Marked(await self._entries.mark(call.who.user, ids, state))


def _marking(verb: str, summary: str, handler: Handler[MarkEntries, Marked]) -> Operation[MarkEntries, Marked]:
    return Operation(
        name=f"inbox.{verb}",
        summary=summary,
        request=MarkEntries,
        response=Marked,
        roles=PEOPLE,
        http=Http("POST", f"/v1/inbox/{verb}"),
        handler=handler,
        rate=_MARKS,
        repeat=Repeat.IDEMPOTENT,
    )


def _listed(item: InboxItem) -> ListedEntry:
    return ListedEntry(**msgspec.structs.asdict(item.entry), state=item.state)
