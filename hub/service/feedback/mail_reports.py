"""What comes of reports about mails: bad addresses are suppressed, and the notification's record tells what happened.

A report is heeded where it proves that it is about a mail of ours (`hub.service.feedback.mail_marks`), or where
somebody sends it whom we trust: a service with an API key, or whoever signs webhooks. All of it may come twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol, assert_never

import msgspec

from hub.domain.channels import EMAIL, Channel
from hub.domain.ids import NotificationId, UserId
from hub.domain.mail_reports import Bounce, Complaint, Original, Outcome, Report, Severity
from hub.observe import MAIL_REPORTS, logger
from hub.service.failures import OperationFailed
from hub.service.feedback.mail_marks import MailMark, read_mark, read_return_path
from hub.service.signing import Signer
from hub.store.records import Receipt
from hub.store.return_paths import Mailed
from hub.store.suppressions import address_digest
from hub.store.velocity import Bound

_log = logger(__name__)
_DAY_S = 86_400
SOFT_BOUNCES_MAX = 3
"""Mails to an address that may bounce softly within a week; the next one that does suppresses it."""
_SOFT_WINDOW_S = 7 * _DAY_S
_SOFT_SUPPRESSED_S = 14 * _DAY_S
_RANKS = {"delayed": 3, "delivered": 5, "bounced": 6, "complained": 8}
"""Reports come in any order, and more than once: the furthest counts."""
_WORDS = {"failed": "bounced", "delayed": "delayed", "delivered": "delivered", "relayed": "delivered"}


class RecordBook(Protocol):
    """The records of notifications (`hub.store.records.Records`)."""

    async def note_receipt(self, user: UserId, notification: NotificationId, receipt: Receipt) -> bool:
        """Note how far a message has come, unless more is known already; say whether it was news."""
        ...


class SuppressionList(Protocol):
    """Addresses that are not written to (`hub.store.suppressions.Suppressions`)."""

    async def add_digest(self, channel: str, digest: str, *, reason: str, for_s: int | None = None) -> bool:
        """Suppress an address known by its digest."""
        ...


class Paths(Protocol):
    """Whom mails went to (`hub.store.return_paths.ReturnPaths`)."""

    async def read(self, notification: NotificationId) -> Mailed | None:
        """Return whom the mail of a notification went to."""
        ...


class Windows(Protocol):
    """How often something has happened lately (`hub.store.velocity.Velocity`)."""

    async def take(self, what: str, bounds: Sequence[Bound]) -> str | None:
        """Count something; return the bound that leaves no room for it."""
        ...


class Consents(Protocol):
    """What people have agreed to (`hub.service.person.preferences.PreferenceCentre`)."""

    async def record_consent(
        self, user: UserId, channel: Channel, *, granted: bool, source: str, wording: str | None = None, now_ms: int
    ) -> object:
        """Note what a person says about marketing on a channel. Raises OperationFailed for who was erased."""
        ...


class Heed(StrEnum):
    """What has come of one thing that a report says."""

    SUPPRESSED = "suppressed"
    """The address is not written to any more, for a while."""
    COUNTED = "counted"
    """It counts against the address; too many will suppress it."""
    NOTED = "noted"
    """It says nothing against the address."""
    UNKNOWN = "unknown"
    """It proves to be about no mail of ours, and nothing was done."""


class MailReports:
    """Takes reports. Every method raises StoreUnavailable: the same report then has to come again."""

    def __init__(
        self,
        *,
        signer: Signer | None,
        records: RecordBook,
        suppressions: SuppressionList,
        paths: Paths,
        windows: Windows,
        consents: Consents,
        clock: Callable[[], int],
    ) -> None:
        """Take `clock`, Unix ms. Without a signer no report can prove anything."""
        self._signer = signer
        self._records = records
        self._suppressions = suppressions
        self._paths = paths
        self._windows = windows
        self._consents = consents
        self._clock = clock

    async def take(self, report: Report, *, trusted: bool, sent_to: str = "") -> list[Heed]:
        """Heed a report; return what came of each thing that it says.

        `trusted`: what it says of addresses is believed without a proof. `sent_to` is the address that it came to.
        """
        mark = await self._mark(report.original, sent_to)
        match report:
            case Bounce(outcomes):
                heeds = [await self._outcome(each, mark, about=report.original, trusted=trusted) for each in outcomes]
            case Complaint():
                heeds = [await self._complaint(report, mark, trusted=trusted)]
            case _:
                assert_never(report)
        kind = type(report).__name__.lower()
        for heed in heeds:
            MAIL_REPORTS.labels(kind, heed.value).inc()
        return heeds

    async def _mark(self, original: Original, sent_to: str) -> MailMark | None:
        """Return the mail that a report proves to be about."""
        if self._signer is None:
            return None
        found = read_mark(self._signer, original.mark, now_s=self._clock() // 1_000)
        if found is not None or not sent_to:
            return found
        notification = read_return_path(self._signer, sent_to)
        mailed = await self._paths.read(notification) if notification is not None else None
        return MailMark(notification, mailed.user, mailed.digest) if notification and mailed else None

    async def _outcome(self, outcome: Outcome, mark: MailMark | None, *, about: Original, trusted: bool) -> Heed:
        digest = _digest_of(outcome.recipient, mark, trusted=trusted)
        if digest is None:
            return Heed.UNKNOWN
        word = _WORDS.get(outcome.action)
        if mark is not None and word is not None:
            await self._note(mark, word, outcome.status)
        match outcome.severity:
            case Severity.HARD:
                await self._suppress(digest, f"bounced: {outcome.status}")
                return Heed.SUPPRESSED
            case Severity.SOFT:
                return await self._count(digest, _occasion(outcome, about, mark), outcome.status)
            case Severity.NONE:
                return Heed.NOTED
            case _:
                assert_never(outcome.severity)

    async def _count(self, digest: str, occasion: str, status: str) -> Heed:
        bound = Bound("soft-bounces", digest, SOFT_BOUNCES_MAX, _SOFT_WINDOW_S)
        if await self._windows.take(occasion, [bound]) is None:
            return Heed.COUNTED
        await self._suppress(digest, f"bounced again and again: {status}", for_s=_SOFT_SUPPRESSED_S)
        return Heed.SUPPRESSED

    async def _complaint(self, complaint: Complaint, mark: MailMark | None, *, trusted: bool) -> Heed:
        digests = [_digest_of(address, mark, trusted=trusted) for address in complaint.recipients or ("",)]
        known = dict.fromkeys(digest for digest in digests if digest is not None)
        if not known:
            return Heed.UNKNOWN
        if not complaint.is_against:
            return Heed.NOTED
        if mark is not None:
            await self._note(mark, "complained", complaint.kind)
            await self._no_more_marketing(mark.user)
        for digest in known:
            await self._suppress(digest, f"complained: {complaint.kind}")
        return Heed.SUPPRESSED

    async def _no_more_marketing(self, user: UserId) -> None:
        """A complaint takes consent back, which outlasts the suppression of the address."""
        with suppress(OperationFailed):  # Somebody who was erased, or a hub that sends no mails (any more).
            await self._consents.record_consent(user, EMAIL, granted=False, source="complaint", now_ms=self._clock())

    async def _note(self, mark: MailMark, status: str, detail: str) -> None:
        receipt = Receipt(EMAIL, status, _RANKS[status], self._clock(), detail)
        if await self._records.note_receipt(mark.user, mark.notification, receipt):
            _log.info("mail_status", notification=mark.notification, status=status, detail=detail)

    async def _suppress(self, digest: str, reason: str, *, for_s: int | None = None) -> None:
        if await self._suppressions.add_digest(EMAIL, digest, reason=reason, for_s=for_s):
            _log.info("mail_address_suppressed", digest=digest, reason=reason)


def _digest_of(address: str, mark: MailMark | None, *, trusted: bool) -> str | None:
    """Return the digest of the address that is meant, None where nothing proves that it is one we wrote to.

    A mark names the address by itself: of a mail that was forwarded, the report names another one.
    """
    if mark is not None:
        return mark.digest
    return address_digest(address) if trusted and address else None


def _occasion(outcome: Outcome, about: Original, mark: MailMark | None) -> str:
    """Return what makes two reports the same bounce: the mail, else all that they say."""
    if mark is not None:
        return mark.notification
    said = about.message_id or msgspec.json.encode(outcome).decode()
    return blake2b(said.encode(), digest_size=12).hexdigest()
