"""What a relay's reply means: try later, never try again, or never write to this address again. Pure.

RFC 5321 section 4.2 (codes) and RFC 3463 (enhanced status codes), with a look at whom a refusal is about.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from hub.domain.errors import DeliveryError, PermanentDeliveryError, TransientDeliveryError

_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
_FIRST_PERMANENT = 500
_AFTER_LAST_PERMANENT = 600
_NO_SUCH_MAILBOX = frozenset({550, 551, 553})
"""RFC 5321: mailbox unavailable, user not local, mailbox name not allowed."""
_CLOSING = 421
_ADDRESSING = 1
_MAIL_SYSTEM = 3
"""X.3.X of RFC 3463: the relay itself is full, overloaded or not configured, whatever the mail."""
_ABOUT_THE_SENDER = frozenset({7, 8})
"""X.1.7 and X.1.8 of RFC 3463 are about the sender's address, not the recipient's."""
_TEXT_MAX = 200


class Phase(Enum):
    """How far the conversation had come when the relay refused."""

    SESSION = auto()
    """Greeting, EHLO, STARTTLS, AUTH, MAIL FROM: the relay does not want us."""
    RECIPIENT = auto()
    """RCPT TO: it does not want this recipient."""
    CONTENT = auto()
    """DATA: it does not want this message."""


def refusal(code: int, text: str, phase: Phase) -> DeliveryError:
    """Return the error for a clean reply that is no acceptance.

    A refusal of us (SESSION) is transient even with 5xx: the operator can mend it, and no mail should be lost over a
    wrong password. What is neither 4xx nor 5xx is out of order, and transient too. Another relay may take what this one
    refuses for its own sake: then it counts as down.
    """
    reason = f"{code} {text[:_TEXT_MAX]}"
    enhanced = _enhanced(text)
    if phase is Phase.SESSION or not _FIRST_PERMANENT <= code < _AFTER_LAST_PERMANENT:
        of_the_relay = code == _CLOSING or (enhanced is not None and enhanced[0] == _MAIL_SYSTEM)
        return TransientDeliveryError(reason, provider_down=phase is Phase.SESSION or of_the_relay)
    return PermanentDeliveryError(reason, suppress=_is_bad_address(code, enhanced, phase))


def _enhanced(text: str) -> tuple[int, int] | None:
    """Return subject and detail of an enhanced status code, None where a reply begins with none."""
    match = _ENHANCED.match(text)
    return (int(match[2]), int(match[3])) if match else None


def _is_bad_address(code: int, enhanced: tuple[int, int] | None, phase: Phase) -> bool:
    if enhanced is None:
        return phase is Phase.RECIPIENT and code in _NO_SUCH_MAILBOX
    subject, detail = enhanced
    return subject == _ADDRESSING and detail not in _ABOUT_THE_SENDER
