"""Opens the push channel: its providers in order, each with its pace, its places and its breaker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Protocol

from channels.breaker import Breaker
from channels.pace import Pace
from channels.providers import Line, Provider, Providers
from channels.push.channel import DeviceBook, PushChannel, UnreadCounts
from channels.push.message import PushMessage
from channels.registry import Tools
from hub.domain.devices import DeviceId
from hub.domain.ids import UserId
from hub.settings import Push
from hub.store.clock import unix_ms


class DeviceRegister(DeviceBook, Protocol):
    """The devices, and how to forget dead ones."""

    async def remove(self, user: UserId, devices: Sequence[DeviceId]) -> int:
        """Forget devices of a person."""
        ...


@asynccontextmanager
async def open_push(
    settings: Push, tools: Tools, *, devices: DeviceRegister, unread: UnreadCounts
) -> AsyncIterator[PushChannel]:
    """Yield the channel that `settings` describe, one project at least. Raises ConfigurationError."""
    # Google's SDK takes half a second to import: only where there is push, and beside the loop.
    fcm = await asyncio.to_thread(import_module, "channels.push.fcm")
    async with AsyncExitStack() as stack:
        lines = []
        for project in settings.fcm:
            provider: Provider[PushMessage] = await stack.enter_async_context(
                fcm.open_fcm(project, forget=devices.remove)
            )
            lines.append(Line(provider, pace=Pace(project.per_second), breaker=Breaker(), places=project.concurrency))
        yield PushChannel(
            Providers(lines),
            devices=devices,
            unread=unread,
            renderer=tools.renderer,
            links=tools,
            default_locale=tools.default_locale,
            clock=unix_ms,
        )
