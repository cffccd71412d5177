"""`doorbell deliver`: runs due jobs, the steps of ladders beyond the inbox."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

from channels.channel import DeliveryChannel
from channels.email.opening import open_email
from channels.email.reports_door import reports_door
from channels.mishaps import Mishaps
from channels.push.opening import open_push
from channels.registry import Tools, open_registered
from channels.reporting import reporting
from channels.runner import Runner
from channels.sms.channel import SmsChannel
from channels.sms.opening import open_sms
from channels.worker import delivery_runner
from consumers.outcome_topic import OutcomeTopic
from hub import __version__
from hub.api.webhooks import TWILIO_PATH
from hub.app import (
    Stores,
    build_click_links,
    build_effects,
    build_house_rules,
    build_mail_reports,
    build_person_links,
    build_preference_centre,
    build_renderer,
    build_signer,
    load_playbook,
    open_stores,
)
from hub.config_checks import parse_address
from hub.domain.channels import EMAIL, PUSH, SMS, Channel
from hub.observe import logger
from hub.roles.admin import admin_server, redis_check
from hub.roles.lifetime import Launch
from hub.roles.listening import cannot_listen
from hub.roles.state import redis_of
from hub.service.feedback.mail_marks import Marks
from hub.service.feedback.sms_receipts import receipt_name
from hub.service.intake.effects import Effects
from hub.service.sending.bulk_expansion import BulkExpansion
from hub.settings import Settings
from hub.store.clock import unix_ms
from templates.renderer import Renderer

_log = logger(__name__)


async def deliver(settings: Settings, stopping: asyncio.Event, *, launch: Launch) -> int:
    """Deliver until `stopping`; then finish what is in hand, give back the rest and return."""
    mishaps = Mishaps()
    async with redis_of(settings) as url, open_stores(settings, url) as stores:
        renderer = build_renderer(settings)
        tools = build_tools(settings, renderer)
        effects = build_effects(settings, stores, renderer)
        async with (
            open_channels(settings, stores, tools) as channels,
            _reports_door(settings, stores),
            admin_server(
                settings.admin_listen, {"redis": redis_check(stores.server)}, metrics_dir=launch.metrics_dir
            ) as health,
            _reporting(stores, channels, mishaps),
            asyncio.TaskGroup() as work,
        ):
            runner = build_runner(settings, stores, channels, tools=tools, effects=effects, mishaps=mishaps)
            _log.info("delivering", channels=sorted(channels))
            work.create_task(runner.run(stopping))
            work.create_task(build_expansion(settings, stores, effects).run(stopping))
            if settings.kafka.bootstrap and settings.kafka.outcomes_topic:
                work.create_task(OutcomeTopic(settings.kafka, stores.outbox).run(stopping))
            await stopping.wait()
            health.drain()
    return 0


def _reporting(
    stores: Stores, channels: Mapping[Channel, DeliveryChannel], mishaps: Mishaps
) -> AbstractAsyncContextManager[None]:
    return reporting(
        stores.delivery_workers,
        uid=secrets.token_hex(8),
        version=__version__,
        channels=channels,
        mishaps=mishaps,
        clock=unix_ms,
    )


def build_runner(
    settings: Settings,
    stores: Stores,
    channels: Mapping[Channel, DeliveryChannel],
    *,
    tools: Tools,
    effects: Effects,
    mishaps: Mishaps | None = None,
) -> Runner:
    """Return what runs due jobs over `channels`."""
    return delivery_runner(
        settings.delivery,
        stores,
        channels=channels,
        tools=tools,
        appearances=effects,
        house=build_house_rules(settings),
        mishaps=mishaps,
    )


def build_expansion(settings: Settings, stores: Stores, effects: Effects) -> BulkExpansion:
    """Return what works bulks off."""
    return BulkExpansion(
        stores.bulks,
        stores.segments,
        sender=effects,
        jobs=stores.jobs,
        per_second=settings.delivery.bulk_per_second,
        clock=unix_ms,
    )


@asynccontextmanager
async def open_channels(
    settings: Settings, stores: Stores, tools: Tools
) -> AsyncIterator[Mapping[Channel, DeliveryChannel]]:
    """Yield the channels that are configured. Raises ConfigurationError for what they cannot work with."""
    async with AsyncExitStack() as stack:
        channels = await stack.enter_async_context(open_registered(settings.channels, tools))
        if settings.smtp.all_relays:
            channels[EMAIL] = await stack.enter_async_context(
                open_email(settings.smtp, tools, marking=_marks(settings, stores), links=build_person_links(settings))
            )
        else:
            _log.warning("no mail relay is configured: steps over email are skipped", key="smtp.url")
        if settings.push.fcm:
            channels[PUSH] = await stack.enter_async_context(
                open_push(settings.push, tools, devices=stores.devices, unread=stores.inbox)
            )
        if settings.sms.twilio:
            channels[SMS] = await stack.enter_async_context(_open_sms(settings, tools, stores))
        yield channels


def _marks(settings: Settings, stores: Stores) -> Marks:
    signer = build_signer(settings)
    if signer is None:
        _log.warning(
            "mails have no links to preferences, and bounces no proof, without a signature",
            key="signing_secret",
        )
    return Marks(signer, mailbox=settings.smtp.return_path, paths=stores.return_paths, clock=unix_ms)


@asynccontextmanager
async def _reports_door(settings: Settings, stores: Stores) -> AsyncIterator[None]:
    """Take bounces and complaints where that is configured. Raises ConfigurationError where it cannot be listened."""
    listen = settings.smtp.reports_listen
    if not listen:
        yield
        return
    host, port = parse_address(listen)
    reports = build_mail_reports(settings, stores, build_preference_centre(settings, stores, load_playbook(settings)))
    async with AsyncExitStack() as stack:
        try:
            bound = await stack.enter_async_context(reports_door(host, port, reports))
        except OSError as error:
            raise cannot_listen(listen, error, key="smtp.reports_listen") from error
        _log.info("taking_mail_reports", on=f"{host}:{bound}")
        yield


def build_tools(settings: Settings, renderer: Renderer) -> Tools:
    """Return what channels make their messages with."""
    return Tools(
        renderer,
        settings.shop_url or settings.public_url,
        settings.default_locale,
        clicks=build_click_links(settings),
    )


def _open_sms(settings: Settings, tools: Tools, stores: Stores) -> AbstractAsyncContextManager[SmsChannel]:
    signer = build_signer(settings)
    if signer is None:
        _log.warning("texts have no delivery receipts without a secret to sign their callbacks", key="signing_secret")
    return open_sms(
        settings.sms,
        tools,
        windows=stores.velocity,
        callback_url=f"{settings.public_url.rstrip('/')}{TWILIO_PATH}" if signer else "",
        receipt=partial(receipt_name, signer) if signer else lambda *_: "",
    )
