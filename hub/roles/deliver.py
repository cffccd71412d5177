"""`doorbell deliver`: runs due jobs, the steps of ladders beyond the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from channels.channel import DeliveryChannel
from channels.email.address import sender
from channels.email.channel import EmailChannel
from channels.email.pool import SmtpPool
from channels.email.relay import relay
from channels.worker import delivery_runner
from hub.app import build_renderer, open_stores
from hub.domain.notifications import Channel, Lane
from hub.observe import logger
from hub.roles.admin import admin_server, redis_check
from hub.roles.lifetime import Launch
from hub.roles.state import redis_of
from hub.settings import Settings
from hub.store.clock import unix_ms

_log = logger(__name__)


async def deliver(settings: Settings, stopping: asyncio.Event, *, launch: Launch) -> int:
    """Deliver until `stopping`; then finish what is in hand, give back the rest and return."""
    async with (
        redis_of(settings) as url,
        open_stores(settings, url) as stores,
        open_channels(settings) as channels,
        admin_server(
            settings.admin_listen, {"redis": redis_check(stores.redis)}, metrics_dir=launch.metrics_dir
        ) as health,
    ):
        runner = delivery_runner(
            settings.delivery,
            channels=channels,
            jobs=stores.jobs,
            entries=stores.inbox,
            people=stores.documents,
            records=stores.records,
            suppressions=stores.suppressions,
        )
        _log.info("delivering", channels=sorted(channels))
        running = asyncio.create_task(runner.run(stopping))
        stop = asyncio.ensure_future(stopping.wait())
        await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        health.drain()
        await running
    return 0


@asynccontextmanager
async def open_channels(settings: Settings) -> AsyncIterator[Mapping[Channel, DeliveryChannel]]:
    """Yield the channels that are configured. Raises ConfigurationError for what they cannot work with."""
    channels: dict[Channel, DeliveryChannel] = {}
    async with AsyncExitStack() as open_pools:
        if settings.smtp.url:
            pools = {lane: await open_pools.enter_async_context(_pool(settings)) for lane in Lane}
            channels[Channel.EMAIL] = EmailChannel(
                pools,
                renderer=build_renderer(settings),
                sender=sender(settings.smtp.sender),
                public_url=settings.public_url,
                default_locale=settings.default_locale,
                clock=unix_ms,
            )
        else:
            _log.warning("no mail relay is configured: steps over email are skipped", key="smtp.url")
        yield channels


def _pool(settings: Settings) -> SmtpPool:
    """Return the connections of one lane: a relay that is slow for one is not for the others."""
    smtp = settings.smtp
    return SmtpPool(
        relay(smtp.url),
        own_name=sender(smtp.sender).domain,
        size=smtp.pool_size,
        mails_per_connection=smtp.mails_per_connection,
        timeout_s=smtp.timeout_s,
    )
