"""The demonstration's sign-in, and what its stand-ins of providers took. Only `doorbell demo` mounts these."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Literal
from urllib.parse import urljoin

import aiohttp
import msgspec
from aiohttp import web

from hub.domain.errors import InputError
from hub.domain.permission import Role
from hub.observe import logger
from hub.service.decoding import decode_json
from hub.service.failures import Failure, OperationFailed
from hub.service.identity.token_claims import is_user_id
from hub.service.identity.tokens import mint_token
from hub.settings import Token

_log = logger(__name__)
TOKEN_TTL_S = 900
BACKEND = "demo-shop"
_RELAY_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
_MAX_BYTES = 8 * 1_024 * 1_024
_MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to be in the demonstration: a shopper by user id, or the shop's backend."""

    user: str | None = None
    role: Literal["shopper", "service"] = "shopper"


class SignedIn(msgspec.Struct, frozen=True):
    """Credentials for the hub, good for `expires_in_s` seconds."""

    token: str
    expires_in_s: int = TOKEN_TTL_S


def demo_routes(*, tokens: Token, outbox_url: str, service_key: str | None = None) -> Iterable[web.RouteDef]:
    """Return `POST /demo/session`, and where stand-ins list what they took at `outbox_url`, those listings.

    Mails are in `/demo/outbox`; pushes and texts in `/demo/pushes` and `/demo/texts`, listed beside `outbox_url`.

    Anybody may become anybody: never mount these in production. `service_key` is a configured API key for the shop's
    backend; without it the backend gets a token, which `token.roles` must allow.
    """

    async def session(request: web.Request) -> web.Response:
        wish = decode_json(SignIn, await request.read())
        token = _backend_token(tokens, service_key) if wish.role == "service" else _shopper_token(tokens, wish)
        _log.info("demo_sign_in", user=wish.user, role=wish.role)
        body = msgspec.json.encode(SignedIn(token))
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})

    async def outbox(request: web.Request) -> web.Response:
        return await _relayed(outbox_url, content_type="application/json", query=request.query_string)

    async def listing(request: web.Request) -> web.Response:
        return await _relayed(urljoin(outbox_url, request.match_info["what"]), content_type="application/json")

    async def mail(request: web.Request) -> web.Response:
        mail_id = request.match_info["id"]
        response = await _relayed(f"{outbox_url}/{mail_id}/html", content_type="text/html")
        response.headers["Content-Security-Policy"] = _MAIL_POLICY
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response

    async def order(_: web.Request) -> web.Response:
        raise web.HTTPFound("/")

    yield web.post("/demo/session", session)
    # A shop has a page for each order, where the links in its mails lead. The demonstration has one for all.
    yield web.get("/orders/{order_id}", order)
    if outbox_url:
        yield web.get("/demo/outbox", outbox)
        yield web.get("/demo/{what:pushes|texts}", listing)
        yield web.get(r"/demo/outbox/{id:[A-Za-z0-9_-]{1,64}}/html", mail)


def _backend_token(tokens: Token, service_key: str | None) -> str:
    return service_key or mint_token(tokens, user=BACKEND, role=Role.SERVICE, ttl_s=TOKEN_TTL_S)


def _shopper_token(tokens: Token, wish: SignIn) -> str:
    if wish.user is None or not is_user_id(wish.user):
        raise InputError("user", "must be a user id")
    return mint_token(tokens, user=wish.user, role=Role.SHOPPER, ttl_s=TOKEN_TTL_S)


async def _relayed(url: str, *, content_type: str, query: str = "") -> web.Response:
    address = f"{url}?{query}" if query else url
    try:
        async with (
            aiohttp.ClientSession(timeout=_RELAY_TIMEOUT) as session,
            session.get(address, allow_redirects=False) as answer,
        ):
            body = await answer.content.read(_MAX_BYTES) if answer.content_length is None else await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise OperationFailed(Failure.UNAVAILABLE, "the stand-ins of the providers do not answer") from error
    if answer.status != HTTPStatus.OK:
        raise OperationFailed(Failure.NOT_FOUND, "the stand-ins of the providers have no such thing")
    headers = {"Content-Type": f"{content_type}; charset=utf-8", "Cache-Control": "no-store"}
    return web.Response(body=body, headers=headers)
