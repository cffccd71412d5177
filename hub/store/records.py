"""Records: what became of one notification, for a week and in a bounded space.

A record begins with the inbox entry, in the same script. The inbox notes when the entry was seen, read and archived,
the delivery workers their rulings and attempts, webhooks the receipts, and the redirect of a link its first click.
About a person who is erased nothing is noted.

A record lies with its person, so that one script can write both. Who knows only the notification's id finds the person
by a key of its own, which lies where the id says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from hub.domain.channels import Channel
from hub.domain.decisions import Aggregate, AggregateKind
from hub.domain.errors import InputError
from hub.domain.ids import NotificationId, RuleName, UserId
from hub.domain.notifications import InboxEntry, Lane, Notification
from hub.domain.outcomes import Outcome, OutcomeKind, waiting_text
from hub.store.connection import read_pipelined
from hub.store.keys import Keys
from hub.store.outbox import MOST_OF_ONE, Outbox
from hub.store.round_trip import Command
from hub.store.scripts import Call, Run, Script, Scripts, load_script
from hub.store.server import Server

RECORD_TTL_S = 7 * 86_400
MAX_FIELDS = 48
FEED_SIZE = 500
"""Notifications of one person that can be listed."""
_NOTE = load_script("record_note")
_NOTE_RECEIPT = load_script("record_receipt")
_NOTE_CLICK = load_script("record_click")
_OWN = load_script("notification_own")
_FIELD = "attempt:"
_RULING = "ruling:"
_RECEIPT = "receipt:"


class About(msgspec.Struct, frozen=True, array_like=True):
    """What a notification was meant to be: what its record begins with. The text is not in it.

    `ladder` has the channels after the inbox with their waits in seconds.
    """

    rule: RuleName
    event_type: str
    category: str
    lane: Lane
    created_ms: int
    ladder: tuple[tuple[Channel, float], ...] = ()
    expires_ms: int | None = None
    collapse_key: str | None = None
    correlation_id: str = ""


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One try of one step of the ladder. `number` counts the tries of the step, from 0.

    `outcome` is a word such as `delivered`, `refused`, `unknown`, `skipped`; `detail` says more to an operator and
    holds no contact.
    """

    at_ms: int
    step: int
    number: int
    channel: Channel
    outcome: str
    provider_id: str = ""
    detail: str = ""


class RecordedRuling(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the person's preferences, and the rules that protect people, said to one step of the ladder, and why.

    `verdict` is `send`, `hold` or `drop`; `until_ms` says until when it is held, `ends` that nothing is sent over the
    channels that are left either. `number` counts the claims of the step before it; `reason` is for a reader and holds
    no contact.
    """

    at_ms: int
    step: int
    number: int
    channel: Channel
    verdict: str
    reason: str = ""
    until_ms: int | None = None
    ends: bool = False


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a message has come after the provider of a channel took it. `rank` orders the provider's words."""

    channel: Channel
    status: str
    rank: int
    at_ms: int
    detail: str = ""


class Record(msgspec.Struct, frozen=True):
    """What happened to a notification.

    Times are in Unix ms, None: it has not happened, or nobody knows any more. `about` is None where the record did not
    begin with the inbox entry.
    """

    id: NotificationId
    user: UserId
    about: About | None = None
    rule: RuleName | None = None
    seen_ms: int | None = None
    read_ms: int | None = None
    clicked_ms: int | None = None
    archived_ms: int | None = None
    decisions: tuple[RecordedRuling, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    """The furthest of each channel."""


_Noted = TypeVar("_Noted", Attempt, RecordedRuling)
_decode_about = msgspec.json.Decoder(About).decode


class Records:
    """The records of one installation. Every method raises StoreUnavailable."""

    def __init__(
        self,
        server: Server,
        scripts: Scripts,
        keys: Keys,
        *,
        ttl_s: int = RECORD_TTL_S,
        outbox: Outbox | None = None,
    ) -> None:
        """Take `ttl_s`: how long a record is kept after its last change.

        What is noted is put into the `outbox` as well, None: nobody wants to know.
        """
        self._outbox = outbox
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._ttl_s = ttl_s

    async def record_attempt(self, notification: Notification, attempt: Attempt) -> None:
        """Note an attempt, replacing what was noted of the same step and number. A full record takes no more."""
        await self._scripts.run_mixed([self.noting(notification, attempt), *self.calling([notification.user])])

    async def note_ruling(self, notification: Notification, ruling: RecordedRuling) -> None:
        """Note a ruling, replacing one of the same step and time. A full record takes no more."""
        await self._scripts.run_mixed([self.ruling(notification, ruling), *self.calling([notification.user])])

    def noting(self, notification: Notification, attempt: Attempt) -> tuple[Script, Call]:
        """Return the script run that notes an attempt, for those who have others to send along."""
        return self._noting(notification, f"{_FIELD}{attempt.step}:{attempt.number}", attempt)

    def ruling(self, notification: Notification, ruling: RecordedRuling) -> tuple[Script, Call]:
        """Return the script run that notes a ruling, replacing one of the same step and time, for who sends it."""
        return self._noting(notification, f"{_RULING}{ruling.step}:{ruling.at_ms}", ruling)

    def _noting(self, notification: Notification, field: str, value: Attempt | RecordedRuling) -> tuple[Script, Call]:
        user, name = notification.user, notification.id
        outcome = b"" if self._outbox is None else _noted_outcome(user, name, value)
        noted = (field, msgspec.json.encode(value), notification.rule, MAX_FIELDS, self._ttl_s)
        return _NOTE, Call(self._places(user, name), (*noted, name, outcome, MOST_OF_ONE))

    def _places(self, user: UserId, notification: NotificationId) -> tuple[str, str, str]:
        person = Aggregate(AggregateKind.PERSON, user)
        return self._keys.record(user, notification), self._keys.outbox(user), self._keys.document(person)

    def calling(self, users: Iterable[UserId]) -> list[Run]:
        """Return the script runs that belong behind all that note something; none where nobody wants to know."""
        return [] if self._outbox is None else self._outbox.calling(users)

    async def note_receipt(self, user: UserId, notification: NotificationId, receipt: Receipt) -> bool:
        """Note how far a message has come, unless as much is known already; say whether it was news."""
        outcome = b"" if self._outbox is None else _reported(user, notification, receipt)
        noted = (f"{_RECEIPT}{receipt.channel}", receipt.rank, msgspec.json.encode(receipt), self._ttl_s)
        call = Call(self._places(user, notification), (*noted, notification, outcome, MOST_OF_ONE))
        news, *_ = await self._scripts.run_mixed([(_NOTE_RECEIPT, call), *self.calling([user])])
        return bool(news)

    def owning(self, notifications: Iterable[Notification]) -> list[Run]:
        """Return the script runs that note whose notifications they are, for who has others to send along."""
        return [
            (_OWN, Call((self._keys.notification_user(each.id),), (each.user, self._ttl_s))) for each in notifications
        ]

    async def own(self, notifications: Iterable[Notification]) -> None:
        """Note whose notifications they are, in one round trip."""
        await self._scripts.run_mixed(self.owning(notifications))

    async def user_of(self, notification: NotificationId) -> UserId | None:
        """Return whose notification it is, None where nobody knows (any more)."""
        read: Command = ("GET", self._keys.notification_user(notification))
        (user,) = await read_pipelined(self._server, [read], what="record user")
        return UserId(user.decode()) if user is not None else None

    async def note_click(self, user: UserId, notification: NotificationId, at_ms: int) -> bool:
        """Note the first click on a notification's link; False: there was one before, or the record is gone."""
        outcome = b""
        if self._outbox is not None:
            outcome = waiting_text(OutcomeKind.CLICKED, _of(user, notification, at_ms))
        args = (at_ms, self._ttl_s, notification, outcome, MOST_OF_ONE)
        click = (_NOTE_CLICK, Call(self._places(user, notification)[:2], args))
        first, *_ = await self._scripts.run_mixed([click, *self.calling([user])])
        return bool(first)

    async def read(self, user: UserId, notification: NotificationId) -> Record | None:
        """Return the record of a notification, attempts in the order of time; None where there is none."""
        (record,) = await self.read_many(user, [notification])
        return record

    async def read_many(self, user: UserId, notifications: Sequence[NotificationId]) -> list[Record | None]:
        """Return the records of some of a person's notifications, in one round trip."""
        reads: list[Command] = [("HGETALL", self._keys.record(user, each)) for each in notifications]
        replies = await read_pipelined(self._server, reads, what="record read")
        return [_record(user, each, reply) for each, reply in zip(notifications, replies, strict=True)]

    async def page(self, user: UserId, *, cursor: NotificationId | None, limit: int) -> list[Record]:
        """Return up to `limit` records of a person, the newest notification first, and those after `cursor` if given.

        A page never repeats or skips one because others came meanwhile. Raises InputError for a cursor that is not
        (or no longer) listed.
        """
        read: Command = ("LRANGE", self._keys.feed(user), 0, FEED_SIZE - 1)
        (feed,) = await read_pipelined(self._server, [read], what="record feed")
        ids = [NotificationId(each.decode()) for each in feed]
        if cursor is not None:
            if cursor not in ids:
                raise InputError("cursor", "is not one that a page has given, or what followed it is gone")
            ids = ids[ids.index(cursor) + 1 :]
        found: list[Record] = []
        while ids and len(found) < limit:
            part, ids = ids[:limit], ids[limit:]
            found += [record for record in await self.read_many(user, part) if record is not None]
        return found[:limit]


def about(notification: Notification) -> About:
    """Return what the record of a notification begins with."""
    return About(
        notification.rule,
        notification.event_type,
        notification.category,
        notification.lane,
        notification.created_ms,
        tuple((step.channel, step.after_s) for step in notification.ladder),
        notification.expires_ms,
        notification.collapse_key,
        notification.correlation_id,
    )


def about_entry(entry: InboxEntry) -> About:
    """Return what a record begins with where nothing is known but the inbox entry."""
    kept = (entry.event_type, entry.category, Lane.TRANSACTIONAL, entry.created_ms)
    return About(RuleName(""), *kept, expires_ms=entry.expires_ms, collapse_key=entry.collapse_key)


def _of(user: UserId, notification: NotificationId, at_ms: int, **parts: Any) -> Outcome:
    return Outcome(notification_id=notification, user_id=user, at_ms=at_ms, **parts)


def _noted_outcome(user: UserId, notification: NotificationId, value: Attempt | RecordedRuling) -> bytes:
    parts = {"channel": value.channel, "step": value.step, "number": value.number}
    if isinstance(value, Attempt):
        said = {"outcome": value.outcome, "provider_id": value.provider_id or None, "detail": value.detail or None}
        return waiting_text(OutcomeKind.ATTEMPTED, _of(user, notification, value.at_ms, **parts, **said))
    ruled = {"verdict": value.verdict, "until_ms": value.until_ms, "detail": value.reason or None}
    return waiting_text(OutcomeKind.RULED, _of(user, notification, value.at_ms, **parts, **ruled))


def _reported(user: UserId, notification: NotificationId, receipt: Receipt) -> bytes:
    said = {"channel": receipt.channel, "status": receipt.status, "detail": receipt.detail or None}
    return waiting_text(OutcomeKind.REPORTED, _of(user, notification, receipt.at_ms, **said))


def _record(user: UserId, notification: NotificationId, reply: Sequence[bytes]) -> Record | None:
    """Return the record that `HGETALL` tells, None where it is gone."""
    if not reply:
        return None
    names = (name.decode() for name in reply[::2])
    fields = dict(zip(names, reply[1::2], strict=True))
    began = _decode_about(fields["about"]) if "about" in fields else None
    rule = RuleName(fields["rule"].decode()) if "rule" in fields else None
    receipts = (value.partition(b"|")[2] for name, value in fields.items() if name.startswith(_RECEIPT))

    def time_ms(name: str) -> int | None:
        return int(fields[name]) if name in fields else None

    return Record(
        id=notification,
        user=user,
        about=began,
        rule=began.rule if began is not None and began.rule else rule,
        seen_ms=time_ms("seen_ms"),
        read_ms=time_ms("read_ms"),
        clicked_ms=time_ms("clicked_ms"),
        archived_ms=time_ms("archived_ms"),
        decisions=_noted(fields, _RULING, RecordedRuling),
        attempts=_noted(fields, _FIELD, Attempt),
        receipts=tuple(msgspec.json.decode(receipt, type=Receipt) for receipt in receipts),
    )


def _noted(fields: dict[str, bytes], prefix: str, kind: type[_Noted]) -> tuple[_Noted, ...]:
    noted = [msgspec.json.decode(value, type=kind) for name, value in fields.items() if name.startswith(prefix)]
    return tuple(sorted(noted, key=lambda each: (each.at_ms, each.step, each.number)))
