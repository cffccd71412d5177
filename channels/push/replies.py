"""What FCM's answer for one device means. Pure.

firebase.google.com, "ErrorCode" of the FCM HTTP v1 API; the SDK has turned answers into exceptions of its own.
"""

from __future__ import annotations

from enum import Enum, auto

import httpx
import msgspec
from firebase_admin import exceptions, messaging

_QUOTA_PAUSE_S = 60.0
"""What Google asks for where a 429 names no time."""


class Fate(Enum):
    """What became of one device's copy."""

    TAKEN = auto()
    GONE = auto()
    """The registration is dead: the app was removed, or it is another project's."""
    REFUSED = auto()
    """The message will never be taken for this device; the registration may be good."""
    LATER = auto()
    """The provider takes nothing for now, from anybody."""
    UNKNOWN = auto()
    """It may have been taken."""


class Reply(msgspec.Struct, frozen=True):
    """The answer for one device."""

    fate: Fate
    word: str
    retry_after_s: float | None = None


def reply_of(error: exceptions.FirebaseError) -> Reply:
    """Return what an error for one device means.

    A 401 or 403 of ours is the operator's to mend: it waits, as does one about the credentials of APNs.
    """
    word = f"{type(error).__name__}: {error.code}"
    match error:
        case messaging.UnregisteredError() | messaging.SenderIdMismatchError():
            return Reply(Fate.GONE, word)
        case messaging.QuotaExceededError() | exceptions.ResourceExhaustedError():
            return Reply(Fate.LATER, word, _retry_after_s(error) or _QUOTA_PAUSE_S)
        case messaging.ThirdPartyAuthError() | exceptions.UnauthenticatedError() | exceptions.PermissionDeniedError():
            return Reply(Fate.LATER, word)
        case exceptions.InvalidArgumentError() | exceptions.NotFoundError() | exceptions.FailedPreconditionError():
            return Reply(Fate.REFUSED, word)
    if error.http_response is not None:
        return Reply(Fate.LATER, word, _retry_after_s(error))
    return _without_answer(error, word)


def _without_answer(error: exceptions.FirebaseError, word: str) -> Reply:
    match error.cause:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout() | httpx.UnsupportedProtocol():
            return Reply(Fate.LATER, word)
        case _:
            return Reply(Fate.UNKNOWN, f"{word}: {error.cause!r}")


def _retry_after_s(error: exceptions.FirebaseError) -> float | None:
    headers = getattr(error.http_response, "headers", {})
    try:
        return max(0.0, float(headers.get("Retry-After", "")))
    except ValueError:
        return None
