"""The correlation id of a request: taken from the caller, or made; in every log line about it, and in the answer."""

from __future__ import annotations

import re
import uuid

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

REQUEST_ID = web.RequestKey("request_id", str)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/=+-]{1,128}")
_NO_TRACE = "0" * 32


def correlation_id(*, request_id: str | None, traceparent: str | None) -> str | None:
    """Return the id a caller gave: `X-Request-Id`, else the trace id of a W3C `traceparent`, else None."""
    if request_id and _REQUEST_ID.fullmatch(request_id):
        return request_id
    trace = _TRACEPARENT.fullmatch(traceparent or "")
    return trace["trace"] if trace and trace["trace"] != _NO_TRACE else None


@web.middleware
async def correlate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bind the correlation id to the log and return it as `X-Request-Id`."""
    headers = request.headers
    given = correlation_id(request_id=headers.get("X-Request-Id"), traceparent=headers.get("traceparent"))
    request[REQUEST_ID] = given or uuid.uuid4().hex
    # Bound for this request only: a kept-alive connection is one task for many requests.
    with structlog.contextvars.bound_contextvars(correlation_id=request[REQUEST_ID]):
        response = await handler(request)
    response.headers.setdefault("X-Request-Id", request[REQUEST_ID])
    return response
