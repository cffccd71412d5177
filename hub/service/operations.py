"""Operations, declared once.

An `Operation` says what it is called, what it reads and answers, who may call it, how often, and how it can fail. The
HTTP route, the `rpc` method, the OpenAPI and AsyncAPI documents and the error table are made from that; nothing about
an operation is written down a second time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec

from hub.domain.permission import Identity, Role
from hub.service.failures import Failure
from hub.service.rate import Rate

Req = TypeVar("Req")
Res = TypeVar("Res")

PEOPLE = frozenset({Role.SHOPPER, Role.COURIER, Role.AGENT, Role.ADMIN})
"""Everybody with an inbox of their own."""
SERVICES = frozenset({Role.SERVICE, Role.ADMIN})
OPERATORS = "ops.*"
"""The family of what operators do: looking into what others have sent, and throwing it away. A key has to name it."""
EVERYTHING = "*"
"""The scope of a key that may do all that a service may, and what operators do."""

KIB = 1_024
DEFAULT_BODY_BYTES = 64 * KIB
ALWAYS_POSSIBLE = (
    Failure.BAD_REQUEST,
    Failure.UNAUTHENTICATED,
    Failure.TOKEN_EXPIRED,
    Failure.FORBIDDEN,
    Failure.TOO_MANY_REQUESTS,
    Failure.INTERNAL,
    Failure.UNAVAILABLE,
)
"""What any operation can fail with, besides what it declares."""


class Repeat(StrEnum):
    """What sending the same request twice does."""

    READS = "reads"
    """Changes nothing at all."""
    IDEMPOTENT = "idempotent"
    """Changes no more than sending it once."""
    KEYED = "keyed"
    """Is done again, unless both carry the same Idempotency-Key."""


class Call(msgspec.Struct, frozen=True):
    """Who calls, when and under which correlation id. `idempotency_key` is None where the caller gave none."""

    who: Identity
    now_ms: int
    correlation_id: str = ""
    idempotency_key: str | None = None


class Document(msgspec.Struct, frozen=True):
    """The request of an operation that reads its body itself: `events.publish` takes CloudEvents in three modes.

    `headers` are lower case, and only those the content is made of: `content-type`, and what the mode needs.
    """

    headers: dict[str, str]
    body: bytes


class Media(msgspec.Struct, frozen=True):
    """One content type a `Document` may have, with the JSON Schema of its body."""

    content_type: str
    schema: dict[str, Any]
    meaning: str


@dataclass(frozen=True, slots=True)
class Http:
    """Where an operation is found over HTTP. `path` has `{field}` where a field of the request goes."""

    method: str
    path: str
    status: int = 200

    @property
    def reads_body(self) -> bool:
        """Whether the request's fields come in a JSON body; otherwise they come in the query."""
        return self.method == "POST"


Handler = Callable[[Call, Req], Awaitable[Res]]
"""Carries an operation out. Raises DoorbellError: InputError, OperationFailed, StoreUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Req, Res]):
    """One thing a caller can ask Doorbell to do.

    `rate` is for each caller. `errors` are the failures beyond those every operation can have. Where `request` is
    `Document`, `media` lists the content types it may have.
    """

    name: str
    summary: str
    request: type[Req]
    response: type[Res]
    roles: frozenset[Role]
    http: Http
    handler: Handler[Req, Res]
    rate: Rate
    repeat: Repeat
    errors: tuple[Failure, ...] = ()
    media: tuple[Media, ...] = ()
    max_body_bytes: int = DEFAULT_BODY_BYTES

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every failure a caller must be ready for, in the order of their status."""
        keyed = (Failure.IN_PROGRESS, Failure.KEY_REUSED) if self.repeat is Repeat.KEYED else ()
        sized = (Failure.TOO_LARGE, Failure.UNSUPPORTED_MEDIA_TYPE, Failure.TIMEOUT) if self.http.reads_body else ()
        mine = {*ALWAYS_POSSIBLE, *self.errors, *keyed, *sized}
        return tuple(failure for failure in Failure if failure in mine)

    def may_call(self, who: Identity) -> bool:
        """Say whether the caller's role and scopes include this operation.

        A scope names it, its family (`topics.*`) or everything (`*`). An API key without scopes may call whatever is
        for services, but nothing that is for operators.
        """
        family = f"{self.name.partition('.')[0]}.*"
        if who.role not in self.roles:
            return False
        if not who.scopes:
            return who.role is not Role.SERVICE or family != OPERATORS
        return not who.scopes.isdisjoint({self.name, family, EVERYTHING})


AnyOperation = Operation[Any, Any]
