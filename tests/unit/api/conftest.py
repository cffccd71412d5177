"""The application on a loopback port, with fakes behind its operations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hub.api.app import build_app
from hub.api.health import Health
from hub.service.calls import Operations
from hub.service.identity.api_keys import ApiKeys
from hub.service.identity.authentication import Authenticator
from hub.service.identity.tokens import TokenVerifier
from hub.service.intake.events import Events
from hub.service.rate import RateLimiter
from hub.service.sending.notifications import Notifications
from tests.unit.api.api_fakes import TEMPLATES, TOKEN, Client, FakeCancelKeys, FakeIngest, FakeSender

Start = Callable[[web.Application], Awaitable[Client]]


@pytest.fixture
def ingest() -> FakeIngest:
    return FakeIngest()


@pytest.fixture
def sender() -> FakeSender:
    return FakeSender()


@pytest.fixture
def cancel_keys() -> FakeCancelKeys:
    return FakeCancelKeys()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Serve an application on a loopback port until the test ends."""
    clients: list[Client] = []

    async def begin(app: web.Application) -> Client:
        client: Client = TestClient(TestServer(app))
        clients.append(client)
        await client.start_server()
        return client

    yield begin
    for client in clients:
        await client.close()


@pytest.fixture
def operations(ingest: FakeIngest, sender: FakeSender, cancel_keys: FakeCancelKeys) -> Operations:
    services = (Events(ingest), Notifications(sender, cancel_keys=cancel_keys, templates=TEMPLATES))
    return Operations([item for service in services for item in service.operations()], rates=RateLimiter())


@pytest.fixture
def authenticator() -> Authenticator:
    return Authenticator(TokenVerifier(TOKEN), ApiKeys([]))


@pytest.fixture
async def client(start: Start, operations: Operations, authenticator: Authenticator) -> Client:
    app = build_app(
        operations=operations, authenticate=authenticator.authenticate, health=Health({}), body_timeout_s=0.5
    )
    return await start(app)
