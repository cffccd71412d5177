"""What Twilio's answers and delivery reports mean. Pure.

twilio.com/docs/api/errors. The HTTP status comes first: codes come and go, and what is not listed goes by its class.
"""

from __future__ import annotations

from http import HTTPStatus

from hub.domain.answers import ANSWERED_STOP
from hub.domain.errors import DeliveryError, PermanentDeliveryError, TransientDeliveryError

OPTED_OUT = 21_610
"""The person has answered STOP."""
_BAD_NUMBER = frozenset({21_211, 21_214, 21_217, 21_614, 21_421})
_NO_ROUTE = frozenset({21_408, 21_612, 21_606, 21_617})
"""Not to this country, not from this number, too long: the number itself may be good."""
_OURS = frozenset({20_003, 20_005, 20_008, 21_603, 21_609})
"""Account, credentials, sender: the operator's to mend, and no message should be lost over it."""
_THROTTLED = frozenset({20_429, 14_107, 63_018, 30_022})
_THROTTLE_PAUSE_S = 5.0


def refusal(status: int, code: int | None, *, retry_after_s: float | None) -> DeliveryError:
    """Return the error for an answer that is no acceptance. Nothing was taken."""
    reason = f"HTTP {status}, code {code}" if code else f"HTTP {status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS or code in _THROTTLED:
        return TransientDeliveryError(reason, retry_after_s or _THROTTLE_PAUSE_S, provider_down=True)
    if code == OPTED_OUT:
        return PermanentDeliveryError(f"{ANSWERED_STOP} ({reason})", suppress=True)
    if code in _BAD_NUMBER:
        return PermanentDeliveryError(reason, suppress=True)
    if code in _NO_ROUTE:
        return PermanentDeliveryError(reason)
    if code in _OURS or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        return TransientDeliveryError(reason, retry_after_s, provider_down=True)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.BAD_REQUEST:
        return TransientDeliveryError(reason, retry_after_s, provider_down=True)
    return PermanentDeliveryError(reason)
