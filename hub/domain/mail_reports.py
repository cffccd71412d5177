"""Reports about mails, read from the raw message: bounces (RFC 3464) and complaints (RFC 5965). Pure.

Strangers send these, and forged ones are no rarity: what a report says is told here, whether it is to be believed is
for the receiver to decide (`hub.service.feedback.mail_reports`).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TypeAlias

import msgspec

from hub.domain import mime
from hub.domain.errors import InputError

MARK_HEADER = "X-Doorbell-Mail"
"""The header in which each mail carries its signed mark, and a report about it returns it."""
RECIPIENTS_MAX = 50
"""Recipients of one report that are looked at."""
_DELIVERY_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_FEEDBACK = "message/feedback-report"
_RETURNED = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers"}
)
_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_REPLY_CODE = re.compile(r"(?:^|[\s;])([45])\d\d(?=[\s-])")
_DETAIL_MAX = 200
_ADDRESS_MAX = 254
# No "@" in the parts: a text of many would be divided at each of them in turn.
_ADDRESS = re.compile(r"<?([^\s<>,;@]+@[^\s<>,;@]+)>?")


class Severity(StrEnum):
    """What an outcome says about the address itself."""

    HARD = "hard"
    """There is no such mailbox, or it is shut: nothing will ever arrive."""
    SOFT = "soft"
    """It took nothing now; it is bad where that goes on."""
    NONE = "none"
    """Nothing: the mail, its sender or a server on the way was at fault, or all is well."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of the mail to one recipient. `action` is `failed`, `delayed`, `delivered`, `relayed`, `expanded`."""

    recipient: str
    action: str
    status: str
    """The enhanced status code of RFC 3463, empty where the report has none."""
    detail: str = ""
    """What the other side said, one line, bounded."""

    @property
    def severity(self) -> Severity:
        """What it says about the address."""
        return _severity(self.action, self.status)


class Original(msgspec.Struct, frozen=True):
    """What a report returns of the mail that it is about."""

    message_id: str = ""
    mark: str = ""
    """The value of `MARK_HEADER`."""


class Bounce(msgspec.Struct, frozen=True, tag=True):
    """A delivery status notification."""

    outcomes: tuple[Outcome, ...]
    original: Original = Original()


class Complaint(msgspec.Struct, frozen=True, tag=True):
    """Somebody has called a mail spam, or worse. `kind` is the Feedback-Type: `abuse`, `fraud`, `not-spam`, ..."""

    kind: str
    recipients: tuple[str, ...]
    original: Original = Original()

    @property
    def is_against(self) -> bool:
        """Whether it speaks against the mail: `not-spam` takes an earlier one back."""
        return self.kind != "not-spam"


Report: TypeAlias = Bounce | Complaint


def read_report(raw: bytes) -> Report:
    """Read a report. Raises InputError where the message is none, or says about nobody anything."""
    parts = mime.message(raw).parts()
    original = next((_original(part) for part in parts if part.media_type in _RETURNED), Original())
    for part in parts:
        if part.media_type in _DELIVERY_STATUS:
            return Bounce(_outcomes(part.content()), original)
        if part.media_type == _FEEDBACK:
            return _complaint(part.content(), original)
    raise InputError("message", "is neither a delivery status notification nor a feedback report")


def _outcomes(content: bytes) -> tuple[Outcome, ...]:
    blocks = mime.blocks(content, RECIPIENTS_MAX + 1)
    outcomes = tuple(_outcome(fields) for fields in blocks if "final-recipient" in fields or "action" in fields)
    if not outcomes:
        raise InputError("message", "is a delivery status notification about nobody")
    return outcomes


def _outcome(fields: mime.Fields) -> Outcome:
    detail = mime.first(fields, "diagnostic-code").partition(";")[2].strip() or mime.first(fields, "diagnostic-code")
    recipient = mime.first(fields, "original-recipient") or mime.first(fields, "final-recipient")
    return Outcome(
        recipient=_address(recipient.rpartition(";")[2]),
        action=mime.first(fields, "action").partition("(")[0].strip().lower(),
        status=_status(mime.first(fields, "status"), detail),
        detail=detail[:_DETAIL_MAX],
    )


def _status(told: str, detail: str) -> str:
    """Return the status, taken from what the other server said where the report's own is undefined (x.0.0)."""
    own, said = _STATUS.search(told), _STATUS.search(detail)
    if own is not None and (said is None or not own[0].endswith(".0.0")):
        return own[0]
    if said is not None:
        return said[0]
    reply = _REPLY_CODE.search(detail)
    return f"{reply[1]}.0.0" if reply is not None else ""


def _severity(action: str, status: str) -> Severity:
    if action != "failed":
        return Severity.NONE
    kind, _, code = status.partition(".")
    subject, _, detail = code.partition(".")
    match subject:
        # X.1.7 and X.1.8 are about the sender's address.
        case "1" if detail not in {"7", "8"}:
            return Severity.HARD if kind == "5" else Severity.SOFT
        # X.2.1: the mailbox is disabled.
        case "2":
            return Severity.HARD if (kind, detail) == ("5", "1") else Severity.SOFT
        # The network, or nothing that is said: given up after days of tries, or for no reason that is told.
        case "4" | "0" | "":
            return Severity.SOFT
        case _:
            return Severity.NONE


def _complaint(content: bytes, original: Original) -> Complaint:
    fields = mime.fields_of(content.replace(b"\n\n", b"\n"))
    kind = mime.first(fields, "feedback-type").strip().lower()
    if not kind:
        raise InputError("message", "is a feedback report without a Feedback-Type")
    told = [_address(each) for each in fields.get("original-rcpt-to", ())[:RECIPIENTS_MAX]]
    return Complaint(kind[:64], tuple(each for each in told if each), original)


def _original(part: mime.Part) -> Original:
    fields = mime.message(part.content()).fields
    return Original(
        message_id=mime.first(fields, "message-id"),
        mark="".join(mime.first(fields, MARK_HEADER.lower()).split()),
    )


def _address(text: str) -> str:
    """Return a mailbox out of a field, empty where there is none."""
    match = _ADDRESS.fullmatch(text.strip())
    return match[1] if match and len(match[1]) <= _ADDRESS_MAX else ""
