"""The inbox: a person's notifications in the app, with unread count, paging and states, and its live topic.

What happens to an inbox is published on `inbox:<user>`: `{"type":"notification","unread":N,"notification":{...}}` for a
new entry, `{"type":"seen"|"read"|"archived","ids":[...],"unread":N}` for entries that moved on. An entry is unread
while it is unseen or seen, and has not expired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

import msgspec

from hub.domain.decisions import Aggregate, AggregateKind
from hub.domain.errors import InputError
from hub.domain.ids import EffectId, NotificationId, Topic, UserId
from hub.domain.notifications import EntryState, InboxEntry
from hub.domain.outcomes import Outcome, OutcomeKind, waiting_text
from hub.domain.topics import INBOX, Namespaces, inbox
from hub.store.clock import Clock, unix_ms
from hub.store.connection import read_pipelined
from hub.store.keys import Keys
from hub.store.outbox import MOST_OF_ONE, Outbox
from hub.store.records import FEED_SIZE, RECORD_TTL_S, About, about_entry
from hub.store.round_trip import Command
from hub.store.scripts import Call, Run, Scripts, load_script
from hub.store.server import Server
from hub.store.topics import meta_ttl_s, new_epoch

_ADD = load_script("inbox_add")
_MARK = load_script("inbox_mark")
_PAGE = load_script("inbox_page")
_AWAIT = load_script("inbox_await")

_RANKS = {EntryState.UNSEEN: 0, EntryState.SEEN: 1, EntryState.READ: 2, EntryState.ARCHIVED: 3}
_NOTED_STATES = {
    "archived_ms": EntryState.ARCHIVED,
    "clicked_ms": EntryState.READ,
    "read_ms": EntryState.READ,
    "seen_ms": EntryState.SEEN,
}
"""The times in a record that tell a state, the furthest first."""
_STATES = {str(rank).encode(): state for state, rank in _RANKS.items()}
_KINDS = {
    EntryState.SEEN: OutcomeKind.SEEN,
    EntryState.READ: OutcomeKind.READ,
    EntryState.ARCHIVED: OutcomeKind.ARCHIVED,
}
MAX_PAGE = 100
MAX_MARKED = 1_000
_CURSOR_DIGITS = 15
_AWAITED_S = 120 * 86_400
"""How long a collapse key is remembered for what was sent ahead of its time: longer than that can be."""
_DIGEST_BYTES = 16
_decode = msgspec.json.Decoder(InboxEntry).decode
_encode: Callable[[InboxEntry | About], bytes] = msgspec.json.Encoder().encode


class Created(msgspec.Struct, frozen=True):
    """The entry is in the inbox; `unread` entries are unread with it."""

    unread: int


class Duplicate(msgspec.Struct, frozen=True):
    """The notification had been added before: nothing happened."""


class Erased(msgspec.Struct, frozen=True):
    """The person has been erased: nothing happened."""


AddResult: TypeAlias = Created | Duplicate | Erased


class InboxItem(msgspec.Struct, frozen=True):
    """An entry and how far the person has come with it."""

    entry: InboxEntry
    state: EntryState


class InboxPage(msgspec.Struct, frozen=True):
    """Some entries, the newest first. `cursor` asks for those after them, None: there are no more."""

    items: tuple[InboxItem, ...]
    cursor: str | None
    unread: int


class Inbox:
    """All inboxes of one installation. Every method raises StoreUnavailable."""

    def __init__(
        self,
        server: Server,
        scripts: Scripts,
        keys: Keys,
        namespaces: Namespaces,
        *,
        size: int,
        dedupe_window_s: int,
        ttl_s: int = 90 * 86_400,
        record_ttl_s: int = RECORD_TTL_S,
        outbox: Outbox | None = None,
        clock: Clock = unix_ms,
    ) -> None:
        """Take `size`, the entries kept for one person, and `ttl_s`, how long an inbox lives after its last entry.

        What happens to entries is put into the `outbox`, None: nobody wants to know.
        """
        self._outbox = outbox
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._size = size
        self._record_ttl_s = record_ttl_s
        self._clock = clock
        options = namespaces.of(Topic(INBOX))
        if options is None:
            raise ValueError("the inbox namespace is built in and must be there")
        self._topic_options = (options.history_size, options.history_ttl_s, meta_ttl_s(options, dedupe_window_s))
        self._lifetimes = (dedupe_window_s, ttl_s)

    async def add_many(self, entries: Sequence[tuple[UserId, InboxEntry]]) -> list[AddResult]:
        """Add entries and publish each on its inbox, in order and in one round trip; each at most once for its id.

        The oldest entries beyond the inbox's size leave; an unseen entry of the same collapse key is replaced. The
        publication's origin is the entry's `created_ms`. After StoreUnavailable: add all of them again.
        """
        abouts = [about_entry(entry) for _, entry in entries]
        runs = self.adding(entries, abouts)
        replies = await self._scripts.run_mixed([*runs, *self.calling(user for user, _ in entries)])
        return self.added(replies[: len(runs)])

    def adding(self, entries: Sequence[tuple[UserId, InboxEntry]], abouts: Sequence[About]) -> list[Run]:
        """Return the script runs that add entries and begin their records with `abouts`, for who sends them along.

        `calling` belongs behind them.
        """
        epoch, now_ms = new_epoch(), self._clock()
        return [
            (_ADD, self._addition(user, entry, about, now_ms=now_ms, epoch=epoch))
            for (user, entry), about in zip(entries, abouts, strict=True)
        ]

    def calling(self, users: Iterable[UserId]) -> list[Run]:
        """Return the script runs that say whose outcomes wait; none where nobody wants to know."""
        return [] if self._outbox is None else self._outbox.calling(users)

    @staticmethod
    def added(replies: Sequence[Any]) -> list[AddResult]:
        """Return what the replies to `adding` mean."""
        return [_added(reply) for reply in replies]

    def _addition(self, user: UserId, entry: InboxEntry, about: About, *, now_ms: int, epoch: str) -> Call:
        topic = inbox(user)
        keys: tuple[str, ...] = (
            *self._keys.topic_place(topic),
            self._keys.topic_seen(topic, EffectId(entry.id)),
            *self._keys.inbox_parts(user),
            self._keys.document(Aggregate(AggregateKind.PERSON, user)),
            self._keys.record(user, entry.id),
            self._keys.feed(user),
            self._keys.outbox(user),
        )
        expires: str | int = "+inf" if entry.expires_ms is None else entry.expires_ms
        content = (_encode(entry), entry.id, now_ms, expires, entry.category, entry.collapse_key or "")
        bounds = (self._size, *self._topic_options, epoch, *self._lifetimes)
        if entry.collapse_key:
            keys += (self._awaited(user, entry.collapse_key),)
        record = (entry.created_ms, _encode(about), self._record_ttl_s, FEED_SIZE)
        outcome = b"" if self._outbox is None else _created(user, entry, about)
        return Call(keys, (*content, *bounds, *record, outcome, MOST_OF_ONE))

    async def page(
        self,
        user: UserId,
        *,
        cursor: str | None,
        limit: int,
        unread_only: bool = False,
        category: str | None = None,
        archived: bool = False,
    ) -> InboxPage:
        """Return up to `limit` (1-100) entries after `cursor`, None: from the newest, and the whole unread count.

        A page never repeats or skips an entry because others came or left meanwhile. `archived` shows the archived
        entries instead of the others. Raises InputError for a cursor that is none, or a limit out of bounds.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise InputError("limit", f"must be 1 to {MAX_PAGE}")
        if cursor is not None and not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= _CURSOR_DIGITS):
            raise InputError("cursor", "is not one that a page has given")
        keys = tuple(self._keys.inbox(user, part) for part in ("entries", "order", "unread"))
        args = (self._clock(), cursor or "", limit, int(unread_only), category or "", int(archived))
        unread, following, ranks, bodies = await self._scripts.run(_PAGE, Call(keys, args))
        items = tuple(InboxItem(_decode(body), _STATES[rank]) for rank, body in zip(ranks, bodies, strict=True))
        return InboxPage(items, following.decode() or None, unread)

    async def unread(self, user: UserId) -> int:
        """Return how many entries are neither read nor expired."""
        count: Command = ("ZCOUNT", self._keys.inbox(user, "unread"), f"({self._clock()}", "+inf")
        (unread,) = await read_pipelined(self._server, [count], what="inbox unread")
        return int(unread)

    async def mark(self, user: UserId, ids: Sequence[NotificationId] | None, state: EntryState) -> int:
        """Move entries on to `state`, None: all that are there now; publish those that moved; return the unread count.

        A state never moves back. Of what has left the inbox the record is noted, which ends its ladder; ids of
        which nothing is known are passed over. Raises InputError for more than 1,000 ids.
        """
        if ids is None:
            ids = await self._all_ids(user)
        if len(ids) > MAX_MARKED:
            raise InputError("ids", f"must be {MAX_MARKED} at most")
        keys = (
            *self._keys.topic_place(inbox(user)),
            *(self._keys.inbox(user, part) for part in ("entries", "unread")),
            self._keys.outbox(user),
            *(self._keys.record(user, notification) for notification in ids),
        )
        topic_args = (*self._topic_options, new_epoch(), self._record_ttl_s)
        now_ms = self._clock()
        outcomes = [] if self._outbox is None else [_engaged(user, each, state, now_ms) for each in ids]
        args = (_RANKS[state], state.value, now_ms, *topic_args, MOST_OF_ONE, *ids, *outcomes)
        unread, *_ = await self._scripts.run_mixed([(_MARK, Call(keys, args)), *self.calling([user])])
        return int(unread)

    async def state_of_many(self, entries: Sequence[tuple[UserId, NotificationId]]) -> list[EntryState | None]:
        """Return how far each person has come with an entry; None where it never was there, or left before it was seen.

        One round trip, and a second one for those that are not in the inbox: their records say it.
        """
        reads: list[Command] = [("HGET", self._keys.inbox(user, "entries"), entry) for user, entry in entries]
        replies = await read_pipelined(self._server, reads, what="inbox state")
        gone = [place for place, reply in enumerate(replies) if not reply]
        noted = iter(await self._noted_of([entries[place] for place in gone]) if gone else ())
        return [_STATES[reply[:1]] if reply else next(noted) for reply in replies]

    async def _noted_of(self, entries: Sequence[tuple[UserId, NotificationId]]) -> list[EntryState | None]:
        """Return how far people had come with entries that are not in their inbox."""
        reads: list[Command] = [("HMGET", self._keys.record(*each), *_NOTED_STATES) for each in entries]
        replies = await read_pipelined(self._server, reads, what="inbox state")
        furthest = (zip(_NOTED_STATES.values(), times, strict=True) for times in replies)
        return [next((state for state, time in states if time), None) for states in furthest]

    async def newest_of_many(self, collapsed: Sequence[tuple[UserId, str]]) -> list[NotificationId | None]:
        """Return the newest notification of each person's collapse key, None where the inbox knows none."""
        reads: list[Command] = [("HGET", self._keys.inbox(user, "collapse"), f"key:{key}") for user, key in collapsed]
        replies = await read_pipelined(self._server, reads, what="inbox collapse") if reads else ()
        return [NotificationId(reply.decode()) if reply else None for reply in replies]

    async def items_of(self, user: UserId, ids: Sequence[NotificationId]) -> list[InboxItem | None]:
        """Return entries of one person with their states, in one round trip; None where one is not there."""
        if not ids:
            return []
        read: Command = ("HMGET", self._keys.inbox(user, "entries"), *ids)
        (entries,) = await read_pipelined(self._server, [read], what="inbox items")
        return [_item(entry) if entry else None for entry in entries]

    async def await_many(self, awaited: Sequence[tuple[UserId, str, NotificationId]]) -> None:
        """Note notifications of collapse keys that were sent ahead of their time: older ones are not to appear."""
        calls = [
            Call(
                (self._keys.topic_seen(inbox(user), EffectId(f"{notification}:awaited")), self._awaited(user, key)),
                (notification, self._lifetimes[0], _AWAITED_S),
            )
            for user, key, notification in awaited
        ]
        await self._scripts.run_many(_AWAIT, calls)

    async def awaited_of_many(self, collapsed: Sequence[tuple[UserId, str]]) -> list[NotificationId | None]:
        """Return the newest notification of each collapse key under which one was sent ahead of its time."""
        reads: list[Command] = [("GET", self._awaited(user, key)) for user, key in collapsed]
        replies = await read_pipelined(self._server, reads, what="inbox awaited") if reads else ()
        return [NotificationId(reply.decode()) if reply else None for reply in replies]

    def _awaited(self, user: UserId, collapse_key: str) -> str:
        return self._keys.awaited(user, blake2b(collapse_key.encode(), digest_size=_DIGEST_BYTES).hexdigest())

    async def _all_ids(self, user: UserId) -> list[NotificationId]:
        read: Command = ("ZRANGE", self._keys.inbox(user, "order"), 0, -1)
        (ids,) = await read_pipelined(self._server, [read], what="inbox ids")
        return [NotificationId(entry.decode()) for entry in ids]


def _created(user: UserId, entry: InboxEntry, about: About) -> bytes:
    outcome = Outcome(
        notification_id=entry.id,
        user_id=user,
        at_ms=entry.created_ms,
        rule=about.rule or None,
        event_type=entry.event_type,
        category=entry.category,
        lane=about.lane,
    )
    return waiting_text(OutcomeKind.CREATED, outcome)


def _engaged(user: UserId, notification: NotificationId, state: EntryState, at_ms: int) -> bytes:
    return waiting_text(_KINDS[state], Outcome(notification_id=notification, user_id=user, at_ms=at_ms))


def _item(stored: bytes) -> InboxItem:
    """Return an entry as it stands in the store: `<rank><length of category>:<category><JSON>`."""
    length, _, rest = stored[1:].partition(b":")
    return InboxItem(_decode(rest[int(length) :]), _STATES[stored[:1]])


def _added(reply: int) -> AddResult:
    match reply:
        case -1:
            return Duplicate()
        case -2:
            return Erased()
        case unread:
            return Created(unread)
