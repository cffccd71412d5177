"""Opens the SMS channel: its providers in order, each with its pace, its places and its breaker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from channels.breaker import Breaker
from channels.pace import Pace
from channels.providers import Line, Providers
from channels.registry import Tools
from channels.sms.channel import SmsChannel, Windows
from channels.sms.twilio import open_twilio
from hub.domain.ids import NotificationId, UserId
from hub.settings import Sms
from hub.store.clock import unix_ms


@asynccontextmanager
async def open_sms(
    settings: Sms,
    tools: Tools,
    *,
    windows: Windows,
    callback_url: str,
    receipt: Callable[[UserId, NotificationId], str],
) -> AsyncIterator[SmsChannel]:
    """Yield the channel that `settings` describe, one account at least."""
    async with AsyncExitStack() as stack:
        lines = []
        for account in settings.twilio:
            url = f"{callback_url}/{account.name}" if callback_url else ""
            provider = await stack.enter_async_context(open_twilio(account, callback_url=url))
            pace = Pace(account.per_second)
            lines.append(Line(provider, pace=pace, breaker=Breaker(), places=account.concurrency))
        yield SmsChannel(
            Providers(lines),
            settings,
            windows=windows,
            renderer=tools.renderer,
            public_url=tools.public_url,
            default_locale=tools.default_locale,
            receipt=receipt,
            clock=unix_ms,
        )
