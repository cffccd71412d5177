"""HTTP routes, made from the operations table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from hub.api.correlation import REQUEST_ID
from hub.api.problems import add_rate_headers, problem_response
from hub.domain.errors import InputError, TooLarge
from hub.domain.permission import Identity, TokenInvalid
from hub.service.calls import Operations
from hub.service.decoding import decode_json, decode_strings
from hub.service.failures import Failure, OperationFailed
from hub.service.operations import AnyOperation, Document
from hub.service.repeats import checked_key

IDEMPOTENCY_KEY = "Idempotency-Key"
_JSON = "application/json"
_CONTENT_TYPE = "content-type"
_CLOUD_EVENT_HEADER = "ce-"

Authenticate = Callable[[str], Identity]
"""Tells who a token or an API key belongs to. Raises TokenExpired, TokenInvalid, TokenUnverifiable."""


def routes_of(operations: Operations, *, authenticate: Authenticate, body_timeout_s: float) -> Iterable[web.RouteDef]:
    """Return one route for each operation. A body that has not arrived after `body_timeout_s` is a 408."""
    for operation in operations:
        handler = _handler(operations, operation, authenticate=authenticate, body_timeout_s=body_timeout_s)
        yield web.route(operation.http.method, operation.http.path, handler)


def _handler(
    operations: Operations, operation: AnyOperation, *, authenticate: Authenticate, body_timeout_s: float
) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        who = authenticate(bearer(request))
        key = request.headers.get(IDEMPOTENCY_KEY)
        call = operations.call_of(
            who, correlation_id=request[REQUEST_ID], idempotency_key=None if key is None else checked_key(key)
        )
        # Whose call is refused anyway sends no megabytes first.
        allowed = operation.may_call(who)
        read = await _reader(request, operation, timeout_s=body_timeout_s) if allowed else _nothing
        answer = await operations.answer(operation, call, read=read, transport="http")
        if answer.failed:
            response = problem_response(answer.failed, request_id=request[REQUEST_ID])
        else:
            response = web.Response(body=answer.body, status=operation.http.status, content_type=_JSON)
            response.headers["Cache-Control"] = "no-store"
        if answer.replayed:
            response.headers["Idempotency-Replayed"] = "true"
        if answer.allowance is not None:
            add_rate_headers(response, name=operation.name, rate=operation.rate, allowance=answer.allowance)
        return response

    return handle


def bearer(request: web.Request) -> str:
    """Return the credentials of a request: `Authorization: Bearer …` only, since query strings end up in logs."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenInvalid("send a token or an API key as: Authorization: Bearer ...")
    return token.strip()


async def _reader(request: web.Request, operation: AnyOperation, *, timeout_s: float) -> Callable[[], object]:
    """Read what the operation's request is made of; return how to decode it, which waits for permission."""
    if operation.http.reads_body:
        body = await read_body(request, limit_bytes=operation.max_body_bytes, timeout_s=timeout_s)
        if operation.request is Document:
            return lambda: _document(request, body)
        return lambda: decode_json(operation.request, _only_json(request, body))
    return lambda: decode_strings(operation.request, _named_values(request))


def _nothing() -> None:
    """Stand for the request of a call that is refused before anybody looks at it."""


async def read_body(request: web.Request, *, limit_bytes: int, timeout_s: float) -> bytes:
    """Return the body of a request. Raises TooLarge, and OperationFailed for one that is compressed or too slow."""
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise OperationFailed(Failure.UNSUPPORTED_MEDIA_TYPE, "send the body without Content-Encoding")
    too_large = TooLarge("body", f"is above {limit_bytes} bytes")
    if (request.content_length or 0) > limit_bytes:
        raise too_large
    parts = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for part in request.content.iter_any():
                parts += part
                if len(parts) > limit_bytes:
                    raise too_large
    except TimeoutError as error:
        raise OperationFailed(Failure.TIMEOUT, f"the body did not arrive within {timeout_s:g} s") from error
    return bytes(parts)


def _only_json(request: web.Request, body: bytes) -> bytes:
    if request.content_type != _JSON:
        raise OperationFailed(Failure.UNSUPPORTED_MEDIA_TYPE, f"send {_JSON}")
    return body


def _document(request: web.Request, body: bytes) -> Document:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        lower = name.lower()
        if lower != _CONTENT_TYPE and not lower.startswith(_CLOUD_EVENT_HEADER):
            continue
        if headers.setdefault(lower, value) != value:
            raise InputError(name, "is given more than once")
    return Document(headers, body)


def _named_values(request: web.Request) -> Mapping[str, str]:
    for name in request.query:
        if len(request.query.getall(name)) > 1 or name in request.match_info:
            raise InputError(name, "is given more than once")
    return {**request.query, **request.match_info}
