"""Middleware around every route: no failure leaves as anything but a problem, no answer without security headers."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from hub.api.correlation import REQUEST_ID
from hub.api.problems import failure_of_http, problem_response
from hub.domain.errors import DoorbellError
from hub.observe import logger
from hub.service.failures import Failure, OperationFailed, failure_of

_log = logger(__name__)
_REDIRECT = range(300, 400)


@web.middleware
async def tell_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into problem details. The log has the cause of what is our mistake; the caller does not."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status in _REDIRECT:
            raise
        response = problem_response(failure_of_http(error), request_id=request[REQUEST_ID])
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except DoorbellError as error:
        return problem_response(failure_of(error), request_id=request[REQUEST_ID])
    except Exception:  # noqa: BLE001 - the border: a caller gets an answer, the log the truth
        _log.exception("request_crashed", path=request.path)
        failed = OperationFailed(Failure.INTERNAL, "something went wrong on our side")
        return problem_response(failed, request_id=request[REQUEST_ID])


@web.middleware
async def secure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Add the headers that keep browsers from guessing types, framing pages and leaking addresses."""
    response = await handler(request)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers["Server"] = "doorbell"  # Not the versions of what it is made of.
    return response
