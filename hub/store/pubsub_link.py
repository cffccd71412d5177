"""A pub/sub connection that is kept: set up again with backoff, with its channels, whenever it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Sequence

from hub.domain.errors import StoreUnavailable
from hub.observe import logger, without_password
from hub.store.pubsub_wire import Wire, connect

CONNECT_TIMEOUT_S = 5.0
CONFIRM_TIMEOUT_S = 10.0
_BACKOFF_FIRST_S = 0.05
_BACKOFF_MAX_S = 2.0
_log = logger(__name__)


class Moved(StoreUnavailable):
    """The server does not have these channels (any more)."""


class Link:
    """The connection to one server. `run` holds it; the callbacks are called from the event loop and must not block.

    `channels()` are those that are to be subscribed when a connection comes up. `on_up()` once they are, `on_down()`
    when the connection is lost. `on_stray(channel)` for a channel that the server does not have (any more).
    """

    def __init__(
        self,
        url: str,
        *,
        sharded: bool,
        channels: Callable[[], Iterable[bytes]],
        on_message: Callable[[bytes, bytes], None],
        on_up: Callable[[], None],
        on_down: Callable[[], None],
        on_stray: Callable[[bytes], None],
        health_interval_s: float,
    ) -> None:
        self.url = url
        self.up = False
        """Whether messages arrive: the connection stands and every channel is subscribed."""
        self._sharded = sharded
        self._channels = channels
        self._on_message = on_message
        self._on_up = on_up
        self._on_down = on_down
        self._on_stray = on_stray
        self._health_interval_s = health_interval_s
        self._wire: Wire | None = None
        self._was_up = False

    async def subscribe(self, channels: Sequence[bytes]) -> None:
        """Subscribe more channels. Raises StoreUnavailable; Moved, if the server says that it does not have them."""
        wire = self._wire
        if wire is None or not self.up:
            raise StoreUnavailable("the pub/sub connection to Redis is down")
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT_S):
                refused = await wire.subscribe(channels)
        except TimeoutError as error:
            wire.abort()
            raise StoreUnavailable("Redis does not confirm subscriptions") from error
        if refused:
            raise Moved(f"{len(refused)} channels have moved to another server")

    async def adopt(self, channels: Sequence[bytes]) -> None:
        """Subscribe channels that have come to this server, unless the connection that comes up next does it."""
        wire = self._wire
        if wire is None:
            return
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT_S):
                refused = await wire.subscribe(channels)
        except (StoreUnavailable, TimeoutError):
            wire.abort()
            return
        for channel in refused:
            self._on_stray(channel)

    def unsubscribe(self, channels: Iterable[bytes]) -> None:
        """Stop the messages of channels that are subscribed here."""
        # Without a connection there is nothing to undo.
        with contextlib.suppress(StoreUnavailable):
            if self._wire is not None:
                self._wire.unsubscribe(channels)

    async def run(self) -> None:
        """Hold the connection until cancelled."""
        backoff_s = _BACKOFF_FIRST_S
        while True:
            self._was_up = False
            try:
                await self._live()
            except (OSError, TimeoutError, StoreUnavailable) as error:
                server = without_password(self.url)
                _log.warning("pubsub_connection_lost", server=server, error=str(error) or type(error).__name__)
            backoff_s = _BACKOFF_FIRST_S if self._was_up else min(_BACKOFF_MAX_S, backoff_s * 2)
            await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))

    async def _live(self) -> None:
        """Hold one connection until it is lost."""
        wire = Wire(sharded=self._sharded, on_message=self._on_message, on_dropped=self._on_stray)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await connect(wire, self.url)
            self._wire = wire
            async with asyncio.timeout(CONFIRM_TIMEOUT_S):
                refused = await wire.subscribe(self._channels())
            self.up = self._was_up = True
            self._on_up()
            for channel in refused:
                self._on_stray(channel)
            await self._watch(wire)
        finally:
            self._wire = None
            wire.abort()
            self.up = False
            self._on_down()

    async def _watch(self, wire: Wire) -> None:
        """Return when the connection is lost; drop one that has not answered a PING for a whole interval."""
        while not wire.lost.done():
            wire.read_anything = False
            ping = asyncio.ensure_future(wire.request(b"PING"))
            await asyncio.wait((wire.lost,), timeout=self._health_interval_s)
            if not ping.done():
                ping.cancel()
            elif not ping.cancelled() and ping.exception() is not None:
                raise StoreUnavailable("the pub/sub connection to Redis is lost")
            if not wire.lost.done() and not wire.read_anything:
                raise StoreUnavailable("Redis has gone silent")
