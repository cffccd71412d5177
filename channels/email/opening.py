"""Opens the email channel: its relays in order, each with its pace, its places and its breaker."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from channels.breaker import Breaker
from channels.email.address import sender
from channels.email.channel import EmailChannel, Links, Marking
from channels.email.domains import DomainPaces
from channels.email.provider import open_relay
from channels.email.relay import relays
from channels.lanes import shares
from channels.pace import Pace
from channels.providers import Line, Providers
from channels.registry import Tools
from hub.settings import Smtp
from hub.store.clock import unix_ms


@asynccontextmanager
async def open_email(
    settings: Smtp,
    tools: Tools,
    *,
    marking: Marking,
    links: Links,
    tls: ssl.SSLContext | None = None,
    clock: Callable[[], int] = unix_ms,
) -> AsyncIterator[EmailChannel]:
    """Yield the channel that `settings` describe, one relay at least. Connects when first used.

    `tls` replaces the system's certificates. Raises ConfigurationError for a URL or a sender that cannot be used.
    """
    own = sender(settings.sender)
    addresses = relays(settings)
    async with AsyncExitStack() as stack:
        lines = []
        for each, address in zip(settings.all_relays, addresses, strict=True):
            provider = await stack.enter_async_context(open_relay(each, address, own_name=own.domain, tls=tls))
            places = shares(each.pool_size)
            lines.append(Line(provider, pace=Pace(each.per_second), breaker=Breaker(), places=places))
        yield EmailChannel(
            Providers(lines),
            domains=DomainPaces(settings.per_domain_second, settings.domains),
            marking=marking,
            links=links,
            renderer=tools.renderer,
            sender=own,
            outward=tools,
            default_locale=tools.default_locale,
            clock=clock,
        )
