"""Records: what became of one notification, for a week and in a bounded space.

The inbox notes when an entry was added, seen, read and archived; the delivery workers note their attempts.
"""

from __future__ import annotations

import msgspec

from hub.domain.channels import Channel
from hub.domain.ids import NotificationId, RuleName, UserId
from hub.domain.notifications import Notification
from hub.store.connection import read_pipelined
from hub.store.keys import Keys
from hub.store.round_trip import Command
from hub.store.scripts import Call, Script, Scripts, load_script
from hub.store.server import Server

RECORD_TTL_S = 7 * 86_400
MAX_FIELDS = 48
_NOTE = load_script("record_note")
_NOTE_RECEIPT = load_script("record_receipt")
_FIELD = "attempt:"
_RULING = "ruling:"
_RECEIPT = "receipt:"


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


class Ruling(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the person's preferences, and the rules that protect people, said to one step of the ladder, and why.

    `verdict` is `send`, `hold` or `drop`; `until_ms` says until when it is held. `number` counts the claims
    of the step before it; `reason` is for a reader and holds no contact.
    """

    at_ms: int
    step: int
    number: int
    channel: Channel
    verdict: str
    reason: str = ""
    until_ms: int | None = None


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a message has come after the provider of a channel took it. `rank` orders the provider's words."""

    channel: Channel
    status: str
    rank: int
    at_ms: int
    detail: str = ""


class Record(msgspec.Struct, frozen=True):
    """What happened to a notification since it stands in the inbox; when that was, its entry tells.

    Times are in Unix ms, None: it has not happened, or nobody knows any more.
    """

    rule: RuleName | None = None
    seen_ms: int | None = None
    read_ms: int | None = None
    archived_ms: int | None = None
    decisions: tuple[Ruling, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    """The furthest of each channel."""


class Records:
    """The records of one installation. Every method raises StoreUnavailable."""

    def __init__(self, server: Server, scripts: Scripts, keys: Keys, *, ttl_s: int = RECORD_TTL_S) -> None:
        """Take `ttl_s`: how long a record is kept after its last change."""
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._ttl_s = ttl_s

    async def record_attempt(self, notification: Notification, attempt: Attempt) -> None:
        """Note an attempt, replacing what was noted of the same step and number. A full record takes no more."""
        await self._scripts.run(*self.noting(notification, attempt))

    async def note_ruling(self, notification: Notification, ruling: Ruling) -> None:
        """Note a ruling, replacing one of the same step and time. A full record takes no more."""
        await self._scripts.run(*self.ruling(notification, ruling))

    def noting(self, notification: Notification, attempt: Attempt) -> tuple[Script, Call]:
        """Return the script run that notes an attempt, for those who have others to send along."""
        return self._noting(notification, f"{_FIELD}{attempt.step}:{attempt.number}", attempt)

    def ruling(self, notification: Notification, ruling: Ruling) -> tuple[Script, Call]:
        """Return the script run that notes a ruling, replacing one of the same step and time, for who sends it."""
        return self._noting(notification, f"{_RULING}{ruling.step}:{ruling.at_ms}", ruling)

    def _noting(self, notification: Notification, field: str, value: Attempt | Ruling) -> tuple[Script, Call]:
        args = (field, msgspec.json.encode(value), notification.rule, MAX_FIELDS, self._ttl_s)
        return _NOTE, Call((self._keys.record(notification.user, notification.id),), args)

    async def note_receipt(self, user: UserId, notification: NotificationId, receipt: Receipt) -> bool:
        """Note how far a message has come, unless as much is known already; say whether it was news."""
        field = f"{_RECEIPT}{receipt.channel}"
        args = (field, receipt.rank, msgspec.json.encode(receipt), self._ttl_s)
        return bool(await self._scripts.run(_NOTE_RECEIPT, Call((self._keys.record(user, notification),), args)))

    async def read(self, user: UserId, notification: NotificationId) -> Record | None:
        """Return the record of a notification, attempts in the order of time; None where there is none."""
        read: Command = ("HGETALL", self._keys.record(user, notification))
        (fields,) = await read_pipelined(self._server, [read], what="record read")
        names = (name.decode() for name in fields[::2])
        return _record(dict(zip(names, fields[1::2], strict=True))) if fields else None


def _record(fields: dict[str, bytes]) -> Record:
    attempts = [msgspec.json.decode(value, type=Attempt) for name, value in fields.items() if name.startswith(_FIELD)]
    rulings = [msgspec.json.decode(value, type=Ruling) for name, value in fields.items() if name.startswith(_RULING)]
    receipts = [
        msgspec.json.decode(value.partition(b"|")[2], type=Receipt)
        for name, value in fields.items()
        if name.startswith(_RECEIPT)
    ]

    def time_ms(name: str) -> int | None:
        return int(fields[name]) if name in fields else None

    return Record(
        rule=RuleName(fields["rule"].decode()) if "rule" in fields else None,
        seen_ms=time_ms("seen_ms"),
        read_ms=time_ms("read_ms"),
        archived_ms=time_ms("archived_ms"),
        decisions=tuple(sorted(rulings, key=_in_time)),
        attempts=tuple(sorted(attempts, key=_in_time)),
        receipts=tuple(receipts),
    )


def _in_time(noted: Attempt | Ruling) -> tuple[int, int, int]:
    return noted.at_ms, noted.step, noted.number
