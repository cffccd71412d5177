"""Redis pub/sub with a reader of its own: hiredis under an asyncio.Protocol, no task per message.

Guarantees:
- `subscribe` returns once Redis has confirmed every channel: what is published after that arrives.
- A lost connection is set up again with backoff and every channel subscribed again, then `on_gap` is called: messages
  may have been missed in between. redis-py's PubSub hides exactly that.
- A peer that has gone silent is found by PING within two health intervals.

Nothing is queued: a message is handed over inside the read. Redis itself cuts off readers that fall behind
(`client-output-buffer-limit pubsub`), which then shows as a lost connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

import hiredis
from redis.asyncio.connection import SSLConnection, parse_url

from hub.domain.errors import StoreUnavailable
from hub.observe import logger

Listener = TypeVar("Listener")
"""What a channel's messages are handed over with."""

_BATCH = 500
"""Channels per SUBSCRIBE command."""
_CONNECT_TIMEOUT_S = 5.0
_CONFIRM_TIMEOUT_S = 10.0
_BACKOFF_FIRST_S = 0.05
_BACKOFF_MAX_S = 2.0
_log = logger(__name__)


class _Wire(asyncio.Protocol):
    """One connection: requests whose replies are awaited in order, and messages that come by themselves."""

    def __init__(self, on_message: Callable[[bytes, bytes], None]) -> None:
        self._on_message = on_message
        self._reader = hiredis.Reader()
        self._replies: deque[asyncio.Future[Any]] = deque()
        self._confirmations: deque[tuple[list[int], asyncio.Future[None]]] = deque()
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.read_anything = False
        """Set by every read; the health check clears it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio promises a Transport for a stream; those of uvloop are not subclasses.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.read_anything = True
        reader = self._reader
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not False:
                if type(reply) is list and reply[0] == b"message":
                    self._on_message(reply[1], reply[2])
                else:
                    self._on_reply(reply)
        except hiredis.HiredisError as error:
            _log.warning("pubsub_protocol_error", error=str(error))
            self.abort()

    def _on_reply(self, reply: Any) -> None:
        if isinstance(reply, list) and reply[0] == b"subscribe":
            left, done = self._confirmations[0]
            left[0] -= 1
            if left[0] == 0:
                self._confirmations.popleft()
                if not done.done():
                    done.set_result(None)
        elif isinstance(reply, list) and reply[0] == b"unsubscribe":
            pass
        elif self._replies:
            waiting = self._replies.popleft()
            if not waiting.done():
                waiting.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        problem = StoreUnavailable("the pub/sub connection to Redis is lost")
        for waiting in (*self._replies, *(done for _, done in self._confirmations)):
            if not waiting.done():
                waiting.set_exception(problem)
                # Whoever waited may have given up: then nobody wants to know.
                waiting.exception()
        if not self.lost.done():
            self.lost.set_result(None)

    def _write(self, *parts: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            raise StoreUnavailable("the pub/sub connection to Redis is lost")
        self._transport.write(hiredis.pack_command(parts))  # type: ignore[arg-type]  # its stub means tuples of any length

    async def request(self, *parts: bytes) -> Any:
        """Return the reply to a command that is answered once."""
        self._write(*parts)
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._replies.append(waiting)
        reply = await waiting
        if isinstance(reply, hiredis.ReplyError):
            raise StoreUnavailable(f"Redis refuses {parts[0].decode()}: {reply}")
        return reply

    async def subscribe(self, channels: Sequence[bytes]) -> None:
        """Return when Redis has confirmed all channels."""
        last: asyncio.Future[None] | None = None
        for at in range(0, len(channels), _BATCH):
            batch = channels[at : at + _BATCH]
            self._write(b"SUBSCRIBE", *batch)
            last = asyncio.get_running_loop().create_future()
            self._confirmations.append(([len(batch)], last))
        if last is not None:
            await last

    def unsubscribe(self, channels: Sequence[bytes]) -> None:
        """Ask for no more messages of these channels."""
        for at in range(0, len(channels), _BATCH):
            self._write(b"UNSUBSCRIBE", *channels[at : at + _BATCH])

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()


class PubSub(Generic[Listener]):
    """Redis pub/sub for one worker. Use it as `async with`; the connection is made in the background.

    `on_message(listener, payload)` and `on_gap()` are called from the event loop and must not raise or block. `on_gap`
    is called after each connection but the first, once all channels are subscribed again.
    """

    def __init__(
        self,
        url: str,
        *,
        on_message: Callable[[Listener, bytes], None],
        on_gap: Callable[[], None],
        health_interval_s: float = 5.0,
    ) -> None:
        self._target = parse_url(url)
        self._deliver = on_message
        self._on_gap = on_gap
        self._health_interval_s = health_interval_s
        self._listeners: dict[bytes, Listener] = {}
        self._wire: _Wire | None = None
        self._established = asyncio.Event()
        self._connections = 0
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
        """Whether messages arrive: the connection stands and every channel is subscribed."""
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
        wire = self._wire
        if wire is None or not self.connected:
            raise StoreUnavailable("the pub/sub connection to Redis is down")
        self._listeners.update(channels)
        try:
            async with asyncio.timeout(_CONFIRM_TIMEOUT_S):
                await wire.subscribe([*channels])
        except BaseException as error:
            self.unsubscribe(channels)
            if isinstance(error, TimeoutError):
                wire.abort()
                raise StoreUnavailable("Redis does not confirm subscriptions") from error
            raise

    def unsubscribe(self, channels: Iterable[bytes]) -> None:
        """Stop the messages of these channels. They stop at once here, and soon at Redis."""
        known = [channel for channel in channels if self._listeners.pop(channel, None) is not None]
        if known and self._wire is not None:
            # Without a connection there is nothing to undo.
            with contextlib.suppress(StoreUnavailable):
                self._wire.unsubscribe(known)

    def _message(self, channel: bytes, payload: bytes) -> None:
        listener = self._listeners.get(channel)
        if listener is not None:
            self._deliver(listener, payload)

    async def _run(self) -> None:
        backoff_s = _BACKOFF_FIRST_S
        while True:
            before = self._connections
            try:
                await self._live()
            except (OSError, TimeoutError, StoreUnavailable) as error:
                _log.warning("pubsub_connection_lost", error=str(error) or type(error).__name__)
            backoff_s = _BACKOFF_FIRST_S if self._connections > before else min(_BACKOFF_MAX_S, backoff_s * 2)
            await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))

    async def _live(self) -> None:
        """Hold one connection until it is lost."""
        wire = _Wire(self._message)
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await self._connect(wire)
                await self._greet(wire)
            self._wire = wire
            async with asyncio.timeout(_CONFIRM_TIMEOUT_S):
                await wire.subscribe([*self._listeners])
            self._connections += 1
            self._established.set()
            if self._connections > 1:
                self._on_gap()
            await self._watch(wire)
        finally:
            self._established.clear()
            self._wire = None
            wire.abort()

    async def _connect(self, wire: _Wire) -> None:
        loop = asyncio.get_running_loop()
        target = self._target
        if "path" in target:
            await loop.create_unix_connection(lambda: wire, target["path"])
            return
        context = _tls(target) if target.get("connection_class") is SSLConnection else None
        host = target.get("host", "localhost")
        await loop.create_connection(lambda: wire, host, target.get("port", 6379), ssl=context)

    async def _greet(self, wire: _Wire) -> None:
        target = self._target
        if password := target.get("password"):
            user = target.get("username")
            await wire.request(b"AUTH", *([user.encode()] if user else []), password.encode())
        if database := target.get("db"):
            await wire.request(b"SELECT", str(database).encode())
        await wire.request(b"CLIENT", b"SETNAME", b"doorbell-pubsub")

    async def _watch(self, wire: _Wire) -> None:
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


def _tls(target: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=target.get("ssl_ca_certs"))
    if target.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
