"""One worker of `doorbell serve`: a gateway and an HTTP server behind one door."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiohttp import web

from hub import __version__
from hub.api.app import build_app
from hub.api.asyncapi import asyncapi_document
from hub.api.clicks import click_routes
from hub.api.demo import demo_routes
from hub.api.documents import document_routes
from hub.api.health import Check, Health
from hub.api.mail_webhook import mail_routes
from hub.api.openapi import openapi_document
from hub.api.operator import operator_page, preview_routes
from hub.api.pages import page_routes
from hub.api.person_pages import PersonPages
from hub.api.webhooks import twilio_routes
from hub.app import (
    Stores,
    build_click_links,
    build_person_links,
    build_renderer,
    build_signer,
    open_stores,
)
from hub.config_checks import parse_address
from hub.gateway.gateway import Gateway
from hub.gateway.handshake import PATH
from hub.gateway.stream_request import PATH as STREAM_PATH
from hub.observe import logger
from hub.roles.admin import redis_check
from hub.roles.back import Back, build_back
from hub.roles.front import Front, build_front, issuers_keys
from hub.roles.listening import cannot_listen
from hub.roles.sweep import sweep_parked
from hub.service.feedback.clicks import Clicks
from hub.service.feedback.sms_receipts import SmsReceipts
from hub.settings import Settings
from hub.store.clock import unix_ms
from hub.store.connection import store_errors
from hub.store.server import Server

_log = logger(__name__)
_PAGES = Path(__file__).parents[1] / "web" / "static"
_KEEP_ALIVE_S = 75.0
"""How long an HTTP connection may be idle, or take to send its next head: aiohttp's own hour hoards descriptors."""
_BACKLOG = 2_048
"""Newcomers before the door, as far as net.core.somaxconn allows it: about as many as a busy worker lets in within the
four seconds that they may wait. The kernel drops the packets of others, who knock again a second later. That costs
nothing; an answer of 503 costs both sides more than half of what letting somebody in does."""


class _Http:
    """The HTTP server behind the door. It is there before the first connection is."""

    def __init__(self) -> None:
        self.runner: web.AppRunner | None = None

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection that is not for the gateway."""
        if self.runner is None or self.runner.server is None:
            raise RuntimeError("the HTTP server has not been set up")
        return self.runner.server()

    def connections(self) -> int:
        """Return how many HTTP connections are open."""
        return len(self.runner.server.connections) if self.runner is not None and self.runner.server is not None else 0


async def run_worker(
    settings: Settings, stopping: asyncio.Event, *, redis_url: str, metrics_dir: str | None = None
) -> int:
    """Serve one worker until `stopping`; then stop listening, drain the connections and return."""
    http = _Http()
    async with open_stores(settings, redis_url) as stores, issuers_keys(settings.token) as (keys, key_checks):
        back = build_back(settings, stores, build_renderer(settings))
        front = build_front(settings, back, keys=keys)
        async with _gateway(settings, stores, front, http) as gateway:
            health = Health(
                {"redis": redis_check(stores.server), "pubsub": _pubsub_check(gateway, stores.server), **key_checks}
            )
            app = _app(settings, back, front, gateway, health=health, metrics_dir=metrics_dir)
            http.runner = web.AppRunner(app, access_log=None, keepalive_timeout=_KEEP_ALIVE_S)
            await http.runner.setup()
            sweeping = asyncio.create_task(sweep_parked(back.ingest))
            try:
                await _listen(settings, gateway, health, stopping)
            finally:
                sweeping.cancel()
                await http.runner.cleanup()
    return 0


def _gateway(settings: Settings, stores: Stores, front: Front, http: _Http) -> Gateway:
    return Gateway(
        settings.gateway,
        stores,
        access=front,
        operations=front,
        http=http,
        http_connections=http.connections,
        version=__version__,
    )


def _app(
    settings: Settings,
    back: Back,
    front: Front,
    gateway: Gateway,
    *,
    health: Health,
    metrics_dir: str | None,
) -> web.Application:
    return build_app(
        operations=front.operations,
        authenticate=front.authenticate,
        health=health,
        documents=document_routes(_documents(settings, front)),
        pages=[*_pages(settings), *preview_routes(back.renderer, build_signer(settings), clock=unix_ms)],
        extra_routes=[
            web.get(PATH, gateway.upgrade_from_http),
            web.route("*", STREAM_PATH, gateway.stream_from_http),
            *_webhooks(settings, back.stores),
            *click_routes(build_click_links(settings), Clicks(back.stores.records, back.stores.inbox, clock=unix_ms)),
            *_mail_webhook(settings, back),
            *_person_pages(settings, back),
            *_demo(settings),
        ],
        metrics_dir=metrics_dir,
    )


def _pages(settings: Settings) -> Iterable[web.RouteDef]:
    if settings.demo.sign_in:
        return page_routes(_PAGES)
    return operator_page(_PAGES) if settings.operator_page else ()


def _documents(settings: Settings, front: Front) -> dict[str, dict[str, Any]]:
    operations = tuple(front.operations)
    return {
        "/openapi.json": openapi_document(operations, version=__version__, public_url=settings.public_url),
        "/asyncapi.json": asyncapi_document(
            operations,
            version=__version__,
            public_url=settings.public_url,
            kafka_topics=settings.kafka.topics,
            outcomes_topic=settings.kafka.outcomes_topic if settings.kafka.bootstrap else "",
            rabbitmq_exchange=settings.rabbitmq.exchange,
        ),
    }


def _webhooks(settings: Settings, stores: Stores) -> Iterable[web.RouteDef]:
    signer = build_signer(settings)
    if signer is None or not settings.sms.twilio:
        return ()
    receipts = SmsReceipts(signer=signer, records=stores.records, suppressions=stores.suppressions, clock=unix_ms)
    tokens = {account.name: account.auth_token for account in settings.sms.twilio}
    return twilio_routes(tokens, public_url=settings.public_url, receipts=receipts)


def _mail_webhook(settings: Settings, back: Back) -> Iterable[web.RouteDef]:
    if not settings.smtp.webhook_secret:
        return ()
    return mail_routes(settings.smtp.webhook_secret, back.mail_reports, clock=unix_ms)


def _person_pages(settings: Settings, back: Back) -> Iterable[web.RouteDef]:
    pages = PersonPages(
        build_person_links(settings),
        back.centre,
        back.stores.documents,
        renderer=back.renderer,
        default_locale=settings.default_locale,
        clock=unix_ms,
    )
    return pages.routes()


def _demo(settings: Settings) -> Iterable[web.RouteDef]:
    if not settings.demo.sign_in:
        return ()
    return demo_routes(
        tokens=settings.token, service_key=settings.demo.service_key, outbox_url=settings.demo.outbox_url
    )


async def _listen(settings: Settings, gateway: Gateway, health: Health, stopping: asyncio.Event) -> None:
    """Let people in until `stopping`, then see them off."""
    host, port = parse_address(settings.listen)
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(gateway.protocol_factory, host, port, reuse_port=True, backlog=_BACKLOG)
    except OSError as error:
        raise cannot_listen(settings.listen, error) from error
    gateway.watch(server.sockets)
    _log.info("listening", on=server.sockets[0].getsockname())
    stop = asyncio.ensure_future(stopping.wait())
    failed = asyncio.ensure_future(gateway.failed())
    await asyncio.wait({stop, failed}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    health.drain()
    await gateway.close_door()
    server.close()
    if failed.done():
        failed.result()
    failed.cancel()
    await gateway.drain()


def _pubsub_check(gateway: Gateway, server: Server) -> Check:
    """Return a check that a message gets from Redis to this worker's sockets."""

    async def publish(channel: str, message: bytes) -> None:
        with store_errors("probe"):
            await server.publish(channel, message)

    async def check() -> str | None:
        if not await gateway.probe(publish):
            return "a probe message did not come back from Redis pub/sub"
        return None

    return check
