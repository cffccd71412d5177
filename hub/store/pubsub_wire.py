"""One connection to Redis for pub/sub: hiredis under an asyncio.Protocol, no task per message.

Replies come in the order of the requests, so one queue of those who wait serves commands and subscriptions alike.
Messages come by themselves, and so does word that a channel's slot has left this server.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

import hiredis
from redis.asyncio.connection import SSLConnection, parse_url

from hub.domain.errors import StoreUnavailable
from hub.observe import logger
from hub.store.routes import slot_of

_BATCH = 500
"""Channels per SUBSCRIBE command."""
_PLAIN = (b"SUBSCRIBE", b"UNSUBSCRIBE")
_SHARDED = (b"SSUBSCRIBE", b"SUNSUBSCRIBE")
_log = logger(__name__)


class _Awaited:
    """What one request still waits for: `left` replies, the last of which is its answer."""

    __slots__ = ("answer", "left")

    def __init__(self, left: int) -> None:
        self.left = left
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()


class Wire(asyncio.Protocol):
    """`on_message(channel, payload)` and `on_dropped(channel)` are called inside the read."""

    def __init__(
        self,
        *,
        sharded: bool,
        on_message: Callable[[bytes, bytes], None],
        on_dropped: Callable[[bytes], None],
    ) -> None:
        self._sharded = sharded
        self._subscribe, self._unsubscribe = _SHARDED if sharded else _PLAIN
        self._message = b"smessage" if sharded else b"message"
        self._on_message = on_message
        self._on_dropped = on_dropped
        self._reader = hiredis.Reader()
        self._awaited: deque[_Awaited] = deque()
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.read_anything = False
        """Set by every read; the health check clears it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # asyncio promises a Transport for a stream; those of uvloop are not subclasses.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand over messages, and replies to those who wait for them."""
        self.read_anything = True
        reader, message = self._reader, self._message
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not False:
                if type(reply) is list and reply[0] == message:
                    self._on_message(reply[1], reply[2])
                else:
                    self._on_reply(reply)
        except hiredis.HiredisError as error:
            _log.warning("pubsub_protocol_error", error=str(error))
            self.abort()

    def _on_reply(self, reply: Any) -> None:
        if isinstance(reply, list):
            match reply[0]:
                case b"unsubscribe":
                    return
                case b"sunsubscribe":
                    # Our own wish, or the slot has moved to another server.
                    self._on_dropped(reply[1])
                    return
                case b"subscribe" | b"ssubscribe" if self._awaited and self._awaited[0].left > 1:
                    self._awaited[0].left -= 1
                    return
        if self._awaited:
            answer = self._awaited.popleft().answer
            if not answer.done():
                answer.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        self._transport = None
        problem = StoreUnavailable("the pub/sub connection to Redis is lost")
        for awaited in self._awaited:
            if not awaited.answer.done():
                awaited.answer.set_exception(problem)
                # Whoever waited may have given up: then nobody wants to know.
                awaited.answer.exception()
        if not self.lost.done():
            self.lost.set_result(None)

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            raise StoreUnavailable("the pub/sub connection to Redis is lost")
        self._transport.write(data)

    async def request(self, *parts: bytes) -> Any:
        """Return the reply to a command that is answered once."""
        self._write(_packed(parts))
        awaited = _Awaited(1)
        self._awaited.append(awaited)
        reply = await awaited.answer
        if isinstance(reply, hiredis.ReplyError):
            raise StoreUnavailable(f"Redis refuses {parts[0].decode()}: {reply}")
        return reply

    async def subscribe(self, channels: Iterable[bytes]) -> list[bytes]:
        """Return when Redis has answered for all channels, with those that this server does not have."""
        asked = [(batch, _Awaited(len(batch))) for batch in self._batches(channels)]
        if not asked:
            return []
        self._write(b"".join([_packed((self._subscribe, *batch)) for batch, _ in asked]))
        self._awaited.extend(awaited for _, awaited in asked)
        refused: list[bytes] = []
        for batch, awaited in asked:
            if isinstance(await awaited.answer, hiredis.ReplyError):
                refused += batch
        return refused

    def unsubscribe(self, channels: Iterable[bytes]) -> None:
        """Ask for no more messages of these channels. Raises StoreUnavailable without a connection."""
        self._write(b"".join([_packed((self._unsubscribe, *batch)) for batch in self._batches(channels)]))

    def _batches(self, channels: Iterable[bytes]) -> Iterator[Sequence[bytes]]:
        """Split channels by command: sharded ones of two slots may not stand in one."""
        groups = ([*group] for _, group in groupby(sorted(channels, key=slot_of), slot_of)) if self._sharded else None
        for group in groups or [[*channels]]:
            for at in range(0, len(group), _BATCH):
                yield group[at : at + _BATCH]

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()


async def connect(wire: Wire, url: str) -> None:
    """Connect a wire, and say who we are. Raises OSError or StoreUnavailable."""
    target = parse_url(url)
    loop = asyncio.get_running_loop()
    if "path" in target:
        await loop.create_unix_connection(lambda: wire, target["path"])
    else:
        context = _tls(target) if target.get("connection_class") is SSLConnection else None
        host = target.get("host", "localhost")
        await loop.create_connection(lambda: wire, host, target.get("port", 6379), ssl=context)
    if password := target.get("password"):
        user = target.get("username")
        await wire.request(b"AUTH", *([user.encode()] if user else []), password.encode())
    if database := target.get("db"):
        await wire.request(b"SELECT", str(database).encode())
    await wire.request(b"CLIENT", b"SETNAME", b"doorbell-pubsub")


def _packed(parts: tuple[bytes, ...]) -> bytes:
    # The stub of hiredis has a command's words wrong: it takes a tuple of any length.
    packed: bytes = hiredis.pack_command(parts)  # type: ignore[arg-type]
    return packed


def _tls(target: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=target.get("ssl_ca_certs"))
    if target.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
