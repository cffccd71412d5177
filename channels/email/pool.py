"""A pool of connections to the relay: one mail at a time on each, the newest first, none kept longer than is good."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from channels.channel import Committing
from channels.email.connection import Connection, StaleConnectionError, connect
from channels.email.message import Mail
from channels.email.relay import Relay, Security

IDLE_S = 20.0
"""Relays hang up on idle clients after 30 s and more; below that a reused connection is nearly always alive."""


class SmtpPool:
    """Up to `size` sessions with one relay. More senders than that wait their turn, in order.

    A connection is used again only after a clean end; anything else, cancellation included, closes it.
    """

    def __init__(
        self,
        relay: Relay,
        *,
        own_name: str,
        size: int = 8,
        mails_per_connection: int = 100,
        timeout_s: float = 20.0,
        idle_s: float = IDLE_S,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._relay = relay
        self._own_name = own_name
        self._mails_per_connection = mails_per_connection
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._tls = tls if tls or relay.security is Security.PLAIN else ssl.create_default_context()
        self._clock = clock
        self._turns = asyncio.Semaphore(size)
        self._idle: list[Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.quit() for connection in idle))

    async def send(self, mail: Mail, *, committing: Committing) -> str:
        """Hand over one mail and return the relay's words of acceptance.

        `committing` is awaited just before DATA. A kept connection that turns out to be dead before that is replaced
        by a new one, once. Raises the errors of `channels.email.connection.Connection.send`.
        """
        async with self._turns:
            kept = self._take_idle()
            if kept is not None:
                try:
                    return await self._send_on(kept, mail, committing)
                except StaleConnectionError:
                    pass  # Relays close kept connections as they like; the new one below tells whether it is more.
            return await self._send_on(await self._connect(), mail, committing)

    async def _send_on(self, connection: Connection, mail: Mail, committing: Committing) -> str:
        try:
            reply = await connection.send(mail, committing=committing)
        except BaseException:
            self._give_back(connection)
            raise
        if connection.mails >= self._mails_per_connection:
            await connection.quit()
        else:
            self._give_back(connection)
        return reply

    async def _connect(self) -> Connection:
        return await connect(
            self._relay, own_name=self._own_name, timeout_s=self._timeout_s, now_s=self._clock(), tls=self._tls
        )

    def _take_idle(self) -> Connection | None:
        """Return the connection used last, closing the ones that died or have waited too long."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and self._clock() - connection.used_s < self._idle_s:
                return connection
            connection.abort()
        return None

    def _give_back(self, connection: Connection) -> None:
        if connection.clean and connection.is_open:
            connection.used_s = self._clock()
            self._idle.append(connection)
        else:
            connection.abort()
