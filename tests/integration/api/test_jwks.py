"""The background fetching of an issuer's keys, from a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from hub.domain.permission import TokenInvalid, TokenUnverifiable
from hub.service.identity.key_sets import MAX_JWKS_BYTES, Jwks
from hub.settings import Token

KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048).public_key()


class Issuer:
    """Publishes one key under each of its `kids`; counts how often it was asked."""

    def __init__(self) -> None:
        self.kids = ["k1"]
        self.status = 200
        self.padding = ""
        self.asked = 0

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        keys = [{**RSAAlgorithm.to_jwk(KEY, as_dict=True), "kid": kid} for kid in self.kids]
        return web.json_response({"keys": keys, "padding": self.padding}, status=self.status)


@asynccontextmanager
async def serving(issuer: Issuer) -> AsyncIterator[Token]:
    app = web.Application()
    app.router.add_get("/keys", issuer.answer)
    async with TestServer(app) as server:
        yield Token(jwks_url=str(server.make_url("/keys")))


async def until_found(jwks: Jwks, kid: str) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                jwks.find("RS256", kid)
            except (TokenInvalid, TokenUnverifiable):
                await asyncio.sleep(0.01)
            else:
                return


async def test_keys_are_there_when_the_set_is_entered() -> None:
    async with serving(Issuer()) as settings, Jwks(settings) as jwks:
        assert [key.kid for key in jwks.find("RS256", "k1")] == ["k1"]
        assert await jwks.check() is None


async def test_a_rotated_key_is_found_because_a_token_asks_for_it() -> None:
    issuer = Issuer()
    async with serving(issuer) as settings, Jwks(settings, min_refresh_s=0.05) as jwks:
        issuer.kids.append("k2")
        await until_found(jwks, "k2")


async def test_ten_thousand_forged_key_ids_fetch_the_set_no_more_than_once_in_the_interval() -> None:
    issuer = Issuer()
    async with serving(issuer) as settings, Jwks(settings, min_refresh_s=0.3) as jwks:
        for number in range(10_000):
            with pytest.raises(TokenInvalid):
                jwks.find("RS256", f"forged-{number}")
        async with asyncio.timeout(10):
            while issuer.asked < 2:  # noqa: ASYNC110 - a server in this very loop, which sets no event
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.4)
        assert issuer.asked == 2


@pytest.mark.parametrize(("status", "padding"), [(500, ""), (302, ""), (200, "x" * MAX_JWKS_BYTES)])
async def test_the_last_good_set_is_kept_while_the_issuer_fails(status: int, padding: str) -> None:
    issuer = Issuer()
    async with serving(issuer) as settings, Jwks(settings) as jwks:
        issuer.status, issuer.padding, issuer.kids = status, padding, []
        await jwks.refresh()
        assert jwks.find("RS256", "k1")


async def test_an_issuer_that_is_away_at_the_start_is_tried_again() -> None:
    issuer = Issuer()
    issuer.status = 503
    async with serving(issuer) as settings, Jwks(settings, first_retry_s=0.05) as jwks:
        reason = await jwks.check()
        assert reason is not None
        assert "503" in reason
        issuer.status = 200
        await until_found(jwks, "k1")
