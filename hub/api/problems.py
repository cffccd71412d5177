"""Failures as RFC 9457 problem details."""

from __future__ import annotations

import math

import msgspec
from aiohttp import web

from hub.service.failures import FAILURES, Failure, FieldProblem, OperationFailed
from hub.service.rate import Allowance, Rate

MEDIA_TYPE = "application/problem+json"
_SERVER_ERRORS = 500
TYPE_PREFIX = "/problems/"
"""Problem types are relative references (RFC 9457 section 3.1.1); `GET /problems/<kind>` says what the kind means."""


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every answer that is not a success. `errors` names the fields at fault; `instance` is the request."""

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    errors: tuple[FieldProblem, ...] = ()


def problem_of(failed: OperationFailed, *, request_id: str) -> Problem:
    """Return the problem that tells a caller about a failure."""
    facts = failed.facts
    return Problem(
        type=f"{TYPE_PREFIX}{failed.failure}",
        title=facts.title,
        status=facts.status,
        detail=failed.detail,
        instance=f"urn:request:{request_id}" if request_id else "",
        errors=failed.errors,
    )


def problem_response(failed: OperationFailed, *, request_id: str) -> web.Response:
    """Return the answer that tells a caller about a failure, with Retry-After where waiting helps."""
    response = web.Response(
        body=msgspec.json.encode(problem_of(failed, request_id=request_id)),
        status=failed.facts.status,
        content_type=MEDIA_TYPE,
    )
    if failed.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(failed.retry_after_s)))
    if failed.facts.status == FAILURES[Failure.UNAUTHENTICATED].status:
        response.headers["WWW-Authenticate"] = 'Bearer realm="doorbell"'
    return response


def add_rate_headers(response: web.StreamResponse, *, name: str, rate: Rate, allowance: Allowance) -> None:
    """Add the headers of draft-ietf-httpapi-ratelimit-headers: the policy, what is left, and when it is whole again."""
    response.headers["RateLimit-Policy"] = f'"{name}";q={rate.count};w={math.ceil(rate.window_s)}'
    response.headers["RateLimit"] = f'"{name}";r={allowance.remaining};t={math.ceil(allowance.reset_s)}'


def failure_of_http(error: web.HTTPException) -> OperationFailed:
    """Return the failure for what aiohttp itself refuses: no such path, wrong method, too large a body."""
    otherwise = Failure.INTERNAL if error.status >= _SERVER_ERRORS else Failure.BAD_REQUEST
    failure = next((kind for kind, facts in FAILURES.items() if facts.status == error.status), otherwise)
    return OperationFailed(failure, error.reason)
