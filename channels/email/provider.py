"""A relay as a provider of the email channel: a pool of sessions for each lane, so that no lane waits for another's."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from channels.channel import Committing
from channels.email.message import Mail
from channels.email.pool import SmtpPool
from channels.email.relay import Relay
from channels.lanes import shares
from hub.domain.notifications import Lane
from hub.settings import SmtpRelay


class SmtpProvider:
    """Hands mails to one relay."""

    def __init__(self, name: str, pools: Mapping[Lane, SmtpPool]) -> None:
        self.name = name
        self._pools = pools

    async def send(self, message: Mail, *, lane: Lane, committing: Committing) -> str:
        """Hand over one mail and return the relay's words of acceptance. Raises the delivery errors."""
        return await self._pools[lane].send(message, committing=committing)


@asynccontextmanager
async def open_relay(
    settings: SmtpRelay, address: Relay, *, own_name: str, tls: ssl.SSLContext | None
) -> AsyncIterator[SmtpProvider]:
    """Open a relay, and close its sessions in the end. Connects when first used."""
    async with AsyncExitStack() as stack:
        pools = {
            lane: await stack.enter_async_context(
                SmtpPool(
                    address,
                    own_name=own_name,
                    size=size,
                    mails_per_connection=settings.mails_per_connection,
                    timeout_s=settings.timeout_s,
                    tls=tls,
                )
            )
            for lane, size in shares(settings.pool_size).items()
        }
        yield SmtpProvider(settings.name, pools)
