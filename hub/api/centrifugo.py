"""The paths of Centrifugo's server API, for backends that have a client for it: `POST /api/<method>`.

Each is one of Doorbell's operations under another name, with the same request. Only the way of the key and the envelope
of the answer are Centrifugo's: 200 with either `result` or `error`. What is wrong with the request as a whole (no key,
too large, too slow) is told as everywhere else, as a problem with its status.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from hub.api.correlation import REQUEST_ID
from hub.api.routes import Authenticate, bearer, read_body
from hub.service.calls import Answer, Operations
from hub.service.decoding import decode_json
from hub.service.operations import AnyOperation

PATH = "/api/"
METHODS: Mapping[str, str] = MappingProxyType(
    {
        "publish": "topics.publish",
        "broadcast": "topics.broadcast",
        "presence": "topics.presence",
        "presence_stats": "topics.presence_stats",
        "history": "topics.history",
        "history_remove": "topics.history_remove",
        "subscribe": "users.subscribe",
        "unsubscribe": "users.unsubscribe",
        "disconnect": "users.disconnect",
        "refresh": "users.refresh",
        "info": "hub.info",
    }
)
"""Centrifugo's methods, and the operations they are here."""
_KEY_HEADER = "X-API-Key"


class _Error(msgspec.Struct, frozen=True):
    """Why a method was not carried out; `code` as in the table of errors."""

    code: int
    message: str


class _Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """Centrifugo's answer."""

    result: msgspec.Raw | None = None
    error: _Error | None = None


def centrifugo_routes(
    operations: Operations, *, authenticate: Authenticate, body_timeout_s: float
) -> Iterable[web.RouteDef]:
    """Return a route for each method of which the operation is served."""
    for method, name in METHODS.items():
        operation = operations.named(name)
        if operation is not None:
            handler = _handler(operations, operation, authenticate=authenticate, body_timeout_s=body_timeout_s)
            yield web.post(f"{PATH}{method}", handler)


def _handler(
    operations: Operations, operation: AnyOperation, *, authenticate: Authenticate, body_timeout_s: float
) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        call = operations.call_of(authenticate(_key(request)), correlation_id=request[REQUEST_ID])
        # Whatever content type it has: Centrifugo does not look at it either.
        body = await read_body(request, limit_bytes=operation.max_body_bytes, timeout_s=body_timeout_s)
        answer = await operations.answer(
            operation, call, read=lambda: decode_json(operation.request, body or b"{}"), transport="http"
        )
        return web.json_response(body=msgspec.json.encode(_envelope(answer)), headers={"Cache-Control": "no-store"})

    return handle


def _key(request: web.Request) -> str:
    key = request.headers.get(_KEY_HEADER, "").strip()
    if key:
        return key
    scheme, _, credentials = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return credentials.strip() if scheme.lower() == "apikey" else bearer(request)


def _envelope(answer: Answer) -> _Envelope:
    if answer.failed is None:
        return _Envelope(result=msgspec.Raw(answer.body))
    return _Envelope(error=_Error(answer.failed.facts.code, answer.failed.detail))
