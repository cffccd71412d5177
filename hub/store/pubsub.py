"""Redis pub/sub with readers of its own: one connection to each server that holds channels.

Guarantees:
- `subscribe` returns once Redis has confirmed every channel: what is published after that arrives.
- A lost connection is set up again with backoff and its channels subscribed again, then `on_gap` is called: messages
  may have been missed in between. redis-py's PubSub hides exactly that.
- A channel whose slot moves to another server, by migration or failover, is subscribed there: a gap as well.
- A peer that has gone silent is found by PING within two health intervals. As often, the deployment is looked at again:
  a master that has been replaced may go on talking.

Nothing is queued: a message is handed over inside the read. Redis itself cuts off readers that fall behind
(`client-output-buffer-limit pubsub`), which then shows as a lost connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Generic, Self, TypeVar

from redis.exceptions import RedisError

from hub.domain.errors import StoreUnavailable
from hub.observe import logger
from hub.store.pubsub_link import Link, Moved
from hub.store.routes import Routes
from hub.store.server import Server

Listener = TypeVar("Listener")
"""What a channel's messages are handed over with."""

_LOOK_AGAIN_S = 0.2
"""Between two looks at the deployment while something is amiss."""
_log = logger(__name__)


class PubSub(Generic[Listener]):
    """Redis pub/sub for one worker. Use it as `async with`; the connections are made in the background.

    `on_message(listener, payload)` and `on_gap()` are called from the event loop and must not raise or block. `on_gap`
    is called whenever messages may have been missed, once all channels concerned are subscribed again.
    """

    def __init__(
        self,
        server: Server,
        *,
        on_message: Callable[[Listener, bytes], None],
        on_gap: Callable[[], None],
        health_interval_s: float = 5.0,
    ) -> None:
        self._server = server
        self._deliver = on_message
        self._on_gap = on_gap
        self._health_interval_s = health_interval_s
        self._listeners: dict[bytes, Listener] = {}
        self._routes: Routes | None = None
        self._links: dict[str, Link] = {}
        self._holders: dict[str, asyncio.Task[None]] = {}
        self._strays: set[bytes] = set()
        self._amiss = asyncio.Event()
        self._established = asyncio.Event()
        self._was_established = False
        self._owner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._owner = asyncio.create_task(self._run(), name="pubsub")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owner is not None:
            self._owner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._owner

    @property
    def connected(self) -> bool:
        """Whether messages arrive: every connection stands and every channel is subscribed."""
        return self._established.is_set()

    async def wait_connected(self, timeout_s: float) -> bool:
        """Wait until `connected`, at most `timeout_s`; return whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._established.wait()
        return self.connected

    async def subscribe(self, channels: Mapping[bytes, Listener]) -> None:
        """Have the messages of these channels handed over with their listeners. All or nothing.

        Raises StoreUnavailable if Redis cannot be reached or does not confirm within 10 s; then none is subscribed.
        """
        placed = self._placed(channels)
        self._listeners.update(channels)
        try:
            await asyncio.gather(*(link.subscribe(names) for link, names in placed))
        except BaseException as error:
            self.unsubscribe(channels)
            if isinstance(error, Moved):
                self._amiss.set()
            raise

    def unsubscribe(self, channels: Iterable[bytes]) -> None:
        """Stop the messages of these channels. They stop at once here, and soon at Redis."""
        known = [channel for channel in channels if self._listeners.pop(channel, None) is not None]
        self._strays.difference_update(known)
        for url, names in self._by_url(self._routes, known).items():
            if url in self._links:
                self._links[url].unsubscribe(names)

    def _message(self, channel: bytes, payload: bytes) -> None:
        listener = self._listeners.get(channel)
        if listener is not None:
            self._deliver(listener, payload)

    # Where channels are

    def _placed(self, channels: Iterable[bytes]) -> list[tuple[Link, list[bytes]]]:
        """Return the links that channels belong to. Raises StoreUnavailable where there is none."""
        if self._routes is None:
            raise StoreUnavailable("the pub/sub connection to Redis is down")
        places = self._by_url(self._routes, channels)
        if not places.keys() <= self._links.keys():
            raise StoreUnavailable("no server has the slot of a channel")
        return [(self._links[url], names) for url, names in places.items() if url is not None]

    @staticmethod
    def _by_url(routes: Routes | None, channels: Iterable[bytes]) -> dict[str | None, list[bytes]]:
        if routes is None:
            return {}
        if routes.owners is None:
            return {routes.urls[0]: [*channels]}
        places: dict[str | None, list[bytes]] = defaultdict(list)
        for channel in channels:
            places[routes.url_of(channel)].append(channel)
        return places

    def _channels_at(self, url: str) -> Iterable[bytes]:
        return self._by_url(self._routes, self._listeners).get(url, ())

    # Following the deployment

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    await self._follow(await self._server.routes(), group)
                except (OSError, TimeoutError, RedisError, StoreUnavailable) as error:
                    self._amiss.set()
                    _log.warning("pubsub_without_routes", error=str(error) or type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._health_interval_s):
                        await self._amiss.wait()
                        await asyncio.sleep(_LOOK_AGAIN_S)

    async def _follow(self, routes: Routes, group: asyncio.TaskGroup) -> None:
        """Have every channel subscribed at the server that it belongs to now."""
        self._amiss.clear()
        before, self._routes = self._routes, routes
        moved = self._moved(before, routes)
        self._strays.clear()
        if routes != before:
            self._hold(routes, group)
        for url, names in self._by_url(before, moved).items():
            if url in self._links:
                self._links[url].unsubscribe(names)
        for url, names in self._by_url(routes, moved).items():
            if url is None:
                self._strays.update(names)
            else:
                await self._links[url].adopt(names)
        self._take_stock()
        if moved and self.connected:
            _log.info("pubsub_channels_moved", count=len(moved))
            self._on_gap()

    def _moved(self, before: Routes | None, routes: Routes) -> list[bytes]:
        if before is None or before == routes:
            return [channel for channel in self._strays if channel in self._listeners]
        return [
            channel
            for channel in self._listeners
            if channel in self._strays or before.url_of(channel) != routes.url_of(channel)
        ]

    def _hold(self, routes: Routes, group: asyncio.TaskGroup) -> None:
        """Have one link to each server, and no other."""
        wanted = set(routes.urls if routes.owners is not None else routes.urls[:1])
        for url in [*self._links]:
            if url not in wanted:
                del self._links[url]
                self._holders.pop(url).cancel()
        for url in wanted - self._links.keys():
            link = self._links[url] = self._link(url, sharded=routes.owners is not None)
            self._holders[url] = group.create_task(link.run(), name=f"pubsub-link-{len(self._links)}")

    def _link(self, url: str, *, sharded: bool) -> Link:
        return Link(
            url,
            sharded=sharded,
            channels=lambda: self._channels_at(url),
            on_message=self._message,
            on_up=self._up,
            on_down=self._down,
            on_stray=self._stray,
            health_interval_s=self._health_interval_s,
        )

    def _up(self) -> None:
        came_back = self._was_established
        self._take_stock()
        if came_back:
            self._on_gap()

    def _down(self) -> None:
        self._take_stock()
        self._amiss.set()

    def _stray(self, channel: bytes) -> None:
        """Take note that a channel is not where it should be; one that nobody wants has just left by our own wish."""
        if channel in self._listeners:
            self._strays.add(channel)
            self._take_stock()
            self._amiss.set()

    def _take_stock(self) -> None:
        if self._links and not self._strays and all(link.up for link in self._links.values()):
            self._was_established = True
            self._established.set()
        else:
            self._established.clear()
