"""The error table: every way in which an operation can fail, and what it is called over HTTP and on the socket.

Over HTTP a failure is an RFC 9457 problem whose `type` ends in the kind's name. On the socket it is the Centrifuge
protocol's `{code, message, temporary}`; its own codes end at 112, and applications take theirs from 400 to 1999.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

import msgspec

from hub.domain.errors import DoorbellError, InputError, StoreUnavailable, TooLarge
from hub.domain.permission import TokenExpired, TokenInvalid, TokenUnverifiable

RETRY_AFTER_UNAVAILABLE_S = 2.0


class Failure(StrEnum):
    """A kind of failure; the value is the last part of the problem's `type`."""

    BAD_REQUEST = "bad-request"
    UNAUTHENTICATED = "unauthenticated"
    TOKEN_EXPIRED = "token-expired"  # noqa: S105 - the name of a problem
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    TIMEOUT = "timeout"
    IN_PROGRESS = "in-progress"
    TOO_LARGE = "too-large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    KEY_REUSED = "key-reused"
    TOO_MANY_REQUESTS = "too-many-requests"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"


class Facts(msgspec.Struct, frozen=True):
    """How a failure is told: HTTP status and title, socket code, and whether trying again later can help."""

    status: int
    title: str
    code: int
    temporary: bool
    meaning: str


FAILURES: Mapping[Failure, Facts] = MappingProxyType(
    {
        Failure.BAD_REQUEST: Facts(
            400,
            "The request is not valid",
            107,
            temporary=False,
            meaning="A field breaks its contract; `errors` names it.",
        ),
        Failure.UNAUTHENTICATED: Facts(
            401, "No valid credentials", 101, temporary=False, meaning="No token or API key, or one that is not good."
        ),
        Failure.TOKEN_EXPIRED: Facts(
            401, "The token has expired", 109, temporary=True, meaning="Get a new token and send the request again."
        ),
        Failure.FORBIDDEN: Facts(
            403,
            "Not allowed",
            103,
            temporary=False,
            meaning="The role or the scopes of the caller do not include this.",
        ),
        Failure.NOT_FOUND: Facts(
            404, "Not found", 404, temporary=False, meaning="There is no such thing, or it is somebody else's."
        ),
        Failure.METHOD_NOT_ALLOWED: Facts(
            405, "Method not allowed", 104, temporary=False, meaning="The path exists, but not with this method."
        ),
        Failure.TIMEOUT: Facts(
            408, "The request came too slowly", 408, temporary=True, meaning="The body did not arrive in time."
        ),
        Failure.IN_PROGRESS: Facts(
            409,
            "Still in progress",
            409,
            temporary=True,
            meaning="A request with this Idempotency-Key is being worked on.",
        ),
        Failure.TOO_LARGE: Facts(413, "Too large", 106, temporary=False, meaning="The body is above the bound on it."),
        Failure.UNSUPPORTED_MEDIA_TYPE: Facts(
            415,
            "Unsupported media type",
            415,
            temporary=False,
            meaning="This operation does not read this content type.",
        ),
        Failure.KEY_REUSED: Facts(
            422,
            "The Idempotency-Key belongs to another request",
            422,
            temporary=False,
            meaning="The key was sent before with a different request; use a new key for a new request.",
        ),
        Failure.TOO_MANY_REQUESTS: Facts(
            429,
            "Too many requests",
            111,
            temporary=True,
            meaning="Above the rate limit; Retry-After says how long to wait.",
        ),
        Failure.INTERNAL: Facts(
            500, "Internal error", 100, temporary=True, meaning="A mistake of ours; the log has the request id."
        ),
        Failure.UNAVAILABLE: Facts(
            503, "Not available right now", 108, temporary=True, meaning="A service behind Doorbell cannot be reached."
        ),
    }
)


class FieldProblem(msgspec.Struct, frozen=True):
    """What is wrong with one field. `field` is a path such as `items[2].price`, or a header's name."""

    field: str
    problem: str


class OperationFailed(DoorbellError):
    """An operation ended without a result. `retry_after_s`: another try can help no sooner; None where unknown."""

    def __init__(
        self,
        failure: Failure,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{failure}: {detail}")
        self.failure = failure
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s

    @property
    def facts(self) -> Facts:
        """The row of the error table."""
        return FAILURES[self.failure]


def failure_of(error: DoorbellError) -> OperationFailed:
    """Return the failure that tells a caller about `error`, without anything that is not theirs to know."""
    match error:
        case OperationFailed():
            return error
        case TooLarge():
            return OperationFailed(Failure.TOO_LARGE, str(error), errors=[FieldProblem(error.field, error.problem)])
        case InputError():
            return OperationFailed(Failure.BAD_REQUEST, str(error), errors=[FieldProblem(error.field, error.problem)])
        case StoreUnavailable() | TokenUnverifiable():
            return OperationFailed(Failure.UNAVAILABLE, "try again shortly", retry_after_s=RETRY_AFTER_UNAVAILABLE_S)
        case TokenExpired():
            return OperationFailed(Failure.TOKEN_EXPIRED, str(error))
        case TokenInvalid():
            return OperationFailed(Failure.UNAUTHENTICATED, str(error))
        case _:
            return OperationFailed(Failure.INTERNAL, "something went wrong on our side")
