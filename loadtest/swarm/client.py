"""One shopper's app, lean: connects with a token, subscribes, recovers after a loss and checks every offset.

It speaks the Centrifuge client protocol in JSON as the official SDKs do: `connect` with the positions of the
server-side subscriptions, `subscribe` for topics of its own, pong for every ping, reconnect with full-jitter backoff.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from loadtest.swarm import frames, wire
from loadtest.swarm.ledger import Position, Tally

_PATH = "/connection/websocket"
_PONG = frames.encode(b"{}")
_BACKOFF_FIRST_S, _BACKOFF_MAX_S = 0.2, 5.0
_FATAL = range(3500, 4000)
"""Disconnect codes after which a client does not come back."""
_HEAD_END = b"\r\n\r\n"


OnPublication = Callable[["Client", str, int, bytes], None]


class Client(asyncio.Protocol):
    """One connection that is kept up until `close`. `on_publication` gets (client, topic, offset, data)."""

    __slots__ = (
        "_attempt", "_closing", "_decoder", "_head", "_host", "_loop", "_next_id", "_on_publication", "_pending",
        "_port", "_source", "_tally", "_token", "_topics", "_transport", "_upgraded", "connected", "positions", "user",
    )  # fmt: skip

    def __init__(
        self,
        user: str,
        *,
        address: tuple[str, int],
        token: Callable[[str], str],
        tally: Tally,
        on_publication: OnPublication,
        topics: Sequence[str] = (),
        source: str | None = None,
    ) -> None:
        """Take `token`, which mints one for a user, and `source`, the local address to connect from."""
        self.user = user
        self.positions: dict[str, Position] = {}
        self.connected = asyncio.Event()
        self._host, self._port = address
        self._token = token
        self._tally = tally
        self._on_publication = on_publication
        self._topics = dict.fromkeys(topics)
        self._source = source
        self._transport: asyncio.Transport | None = None
        self._decoder = frames.Decoder()
        self._head = b""
        self._upgraded = False
        self._pending: dict[int, str] = {}
        self._next_id = 1
        self._attempt = 0
        self._closing = False
        self._loop = asyncio.get_running_loop()

    async def open(self) -> None:
        """Connect once, and keep trying in the background if that fails."""
        local = (self._source, 0) if self._source else None
        try:
            await self._loop.create_connection(lambda: self, self._host, self._port, local_addr=local)
        except OSError:
            self._retry()

    def subscribe(self, topic: str) -> None:
        """Subscribe to one more topic, now or as soon as there is a connection."""
        if topic not in self._topics:
            self._topics[topic] = None
            if self.connected.is_set():
                self._subscribe(topic)

    def close(self) -> None:
        """Leave and stay away."""
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Lose the connection as a network does; the client comes back by itself."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = transport  # type: ignore[assignment]
        self._upgraded, self._head = False, b""
        self._decoder = frames.Decoder()
        self._pending.clear()
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET {_PATH} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._write(request.encode())

    def data_received(self, data: bytes) -> None:
        """Read the answer to the upgrade, then frames."""
        if not self._upgraded:
            data = self._answered(data)
        if self._upgraded and data:
            for opcode, payload in self._decoder.feed(data):
                self._frame(opcode, payload)

    def connection_lost(self, _: Exception | None) -> None:
        """Come back after a jittered wait."""
        self.connected.clear()
        self._transport = None
        if not self._closing:
            self._retry()

    # Inside

    def _answered(self, data: bytes) -> bytes:
        """Read the answer to the upgrade, which may come in pieces; return what follows it."""
        self._head += data
        head, end, rest = self._head.partition(_HEAD_END)
        if not end:
            return b""
        if not head.startswith(b"HTTP/1.1 101"):
            if head.startswith(b"HTTP/1.1 503"):
                self._tally.refused += 1
            else:
                self._tally.error(head[:40].decode(errors="replace"))
            self.abort()
            return b""
        self._upgraded = True
        subs = {
            topic: {"recover": True, "epoch": position.epoch, "offset": position.offset}
            for topic, position in self.positions.items()
            if topic not in self._topics
        }
        self._command("connect", {"token": self._token(self.user), "subs": subs}, note="connect")
        return rest

    def _command(self, name: str, request: dict[str, Any], *, note: str) -> None:
        number, self._next_id = self._next_id, self._next_id + 1
        self._pending[number] = note
        self._write(frames.encode(msgspec.json.encode({"id": number, name: request})))

    def send(self, name: str, request: dict[str, Any]) -> None:
        """Send a command whose reply only matters if it is an error."""
        self._command(name, request, note=name)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == frames.TEXT:
            for line in payload.split(b"\n"):
                self._message(line)
        elif opcode == frames.PING:
            self._write(frames.encode(payload, frames.PONG))
        elif opcode == frames.CLOSE:
            code = int.from_bytes(payload[:2], "big")
            if code in _FATAL:
                self._tally.error(f"closed with {code}")
                self._closing = True
            self.abort()

    def _message(self, line: bytes) -> None:
        if line == b"{}":
            self._write(_PONG)
            return
        reply = wire.decode(line)
        if reply.push is not None:
            if reply.push.pub is not None:
                self._publication(reply.push.channel, reply.push.pub)
            elif reply.push.unsubscribe is not None:
                self._subscribe(reply.push.channel)
            return
        note = self._pending.pop(reply.id, "")
        if reply.error is not None:
            self._failed(note, reply.error)
        elif reply.connect is not None:
            self._connected(reply.connect)
        elif reply.subscribe is not None:
            self._subscribed(note.removeprefix("subscribe "), reply.subscribe)

    def _failed(self, note: str, error: wire.Error) -> None:
        """Do as the SDKs do: start the connection over, or ask for the subscription again."""
        command, _, topic = note.partition(" ")
        if not error.temporary:
            self._tally.error(f"{command} error {error.code}")
            return
        self._tally.refused += 1
        if command == "connect":
            self.abort()
        elif command == "subscribe":
            self._loop.call_later(random.uniform(0.1, 0.5), self._subscribe_again, topic, self._transport)

    def _subscribe_again(self, topic: str, asked_on: asyncio.Transport | None) -> None:
        if asked_on is self._transport and self.connected.is_set():
            self._subscribe(topic)

    def _connected(self, result: wire.Connect) -> None:
        self._attempt = 0
        self._tally.connects += 1
        for topic, sub in result.subs.items():
            self._subscribed(topic, sub)
        for topic in self._topics:
            self._subscribe(topic)
        self.connected.set()

    def _subscribe(self, topic: str) -> None:
        position = self.positions.get(topic)
        request: dict[str, Any] = {"channel": topic}
        if position is not None:
            request |= {"recover": True, "epoch": position.epoch, "offset": position.offset}
        self._command("subscribe", request, note=f"subscribe {topic}")

    def _subscribed(self, topic: str, sub: wire.Sub) -> None:
        self._tally.subscribed(self.positions, topic, sub)
        for publication in sub.publications:
            self._publication(topic, publication)

    def _publication(self, topic: str, publication: wire.Pub) -> None:
        self._tally.publication(self.positions.get(topic), topic, publication.offset)
        self._on_publication(self, topic, publication.offset, bytes(publication.data))

    def _retry(self) -> None:
        self._attempt += 1
        wait_s = random.uniform(0.0, min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2.0**self._attempt))
        self._loop.call_later(wait_s, self._reopen)

    def _reopen(self) -> None:
        if not self._closing:
            task = self._loop.create_task(self.open())
            task.add_done_callback(lambda done: done.exception() if not done.cancelled() else None)
