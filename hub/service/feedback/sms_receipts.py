"""What a provider of texts tells afterwards: how far a message has come, and what people answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hub.domain.answers import ANSWERED_STOP, Answer, answer_in, wording_of
from hub.domain.channels import SMS
from hub.domain.ids import NotificationId, UserId
from hub.observe import logger
from hub.service.signing import Signer
from hub.store.records import Receipt

_log = logger(__name__)
_PURPOSE = "sms-receipt"
_RANKS = {
    "accepted": 1,
    "scheduled": 1,
    "queued": 2,
    "sending": 3,
    "sent": 4,
    "delivered": 6,
    "undelivered": 6,
    "failed": 6,
    "canceled": 6,
    "read": 7,
}
"""Callbacks come in any order, and more than once: the furthest counts."""
_UNREACHABLE = frozenset({30_004, 30_005, 30_006, 30_011})
"""twilio.com/docs/api/errors: blocked, unknown, a landline, unsupported. Not texted again for a while."""


class RecordBook(Protocol):
    """The records of notifications (`hub.store.records.Records`)."""

    async def note_receipt(self, user: UserId, notification: NotificationId, receipt: Receipt) -> bool:
        """Note how far a message has come, unless more is known already; say whether it was news."""
        ...


class SuppressionList(Protocol):
    """Addresses that are not written to (`hub.store.suppressions.Suppressions`)."""

    async def add(self, channel: str, address: str, *, reason: str) -> None:
        """Write to an address no more, for a while."""
        ...

    async def stop(self, channel: str, address: str, *, reason: str, wording: str) -> None:
        """Write to an address no more until it is removed, as the person has said in these words."""
        ...

    async def remove(self, channel: str, address: str) -> bool:
        """Let an address be written to again; say whether it was suppressed."""
        ...


def receipt_name(signer: Signer, user: UserId, notification: NotificationId) -> str:
    """Return the name by which a status callback says which notification it is about."""
    return signer.sign(_PURPOSE, f"{notification} {user}")


def named_receipt(signer: Signer, name: str, *, now_s: int) -> tuple[UserId, NotificationId] | None:
    """Return whose notification a status callback is about, None for a name that is not ours."""
    text = signer.read(_PURPOSE, name, now_s=now_s)
    if text is None:
        return None
    notification, _, user = text.partition(" ")
    return UserId(user), NotificationId(notification)


class SmsReceipts:
    """Takes callbacks whose signature has been checked. All of it may come twice. Raises StoreUnavailable."""

    def __init__(
        self, *, signer: Signer, records: RecordBook, suppressions: SuppressionList, clock: Callable[[], int]
    ) -> None:
        self._signer = signer
        self._records = records
        self._suppressions = suppressions
        self._clock = clock

    async def status(self, name: str, *, status: str, code: int | None, number: str) -> bool:
        """Note how far a message has come; False for a name that is not ours."""
        now_ms = self._clock()
        named = named_receipt(self._signer, name, now_s=now_ms // 1_000)
        if named is None:
            return False
        user, notification = named
        receipt = Receipt(SMS, status, _RANKS.get(status, 0), now_ms, "" if code is None else str(code))
        news = await self._records.note_receipt(user, notification, receipt)
        if news:
            _log.info("sms_status", notification=notification, status=status, code=code)
        if code in _UNREACHABLE and number:
            await self._suppressions.add(SMS, number, reason=f"the provider reports {code}")
        return True

    async def answered(self, number: str, *, text: str, wish: str = "") -> None:
        """Heed what a person has answered. `wish` is the provider's own understanding of it (`OptOutType`).

        START takes a STOP back and nothing else: what was agreed to before is agreed to again, and no more.
        """
        match answer_in(text, understood=wish):
            case Answer.STOP:
                await self._suppressions.stop(SMS, number, reason=ANSWERED_STOP, wording=wording_of(text))
                _log.info("sms_stopped", recipient=number)
            case Answer.START:
                await self._suppressions.remove(SMS, number)
                _log.info("sms_started", recipient=number)
            case None:
                pass
