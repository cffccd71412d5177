"""A server that sends every message back, on the product's own frame layer: what a conformance suite can talk to.

Between door and socket everything is the gateway's: handshake, frames, fragments, control frames, closing. Only the
session is replaced by one that echoes, and the format by one that takes a message as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from websockets.frames import Frame, Opcode

from hub.gateway.admission import Admission
from hub.gateway.door import Door, Reception
from hub.gateway.formats import WebSocketFormat
from hub.gateway.handshake import Handshake
from hub.gateway.tally import Tally
from hub.gateway.websocket import WebSocket
from hub.gateway.wheel import Wheel
from hub.gateway.worker import Worker
from hub.protocol.effects import Effect, Send
from hub.protocol.session import Limits, Session, State
from hub.settings import Gateway as Settings

_LARGEST = 17 * 1_048_576
"""The suite's largest message has 16 MiB."""


class _Echo:
    """Codec: a payload is one command, and that command is the answer."""

    ping = b""

    def decode(self, payload: bytes | bytearray) -> list[Any]:
        return [bytes(payload)]

    def encode(self, messages: Sequence[Any]) -> bytes:
        (payload,) = messages
        return cast("bytes", payload)


_TEXT = WebSocketFormat(cast("Any", _Echo()), Opcode.TEXT)
_BINARY = WebSocketFormat(cast("Any", _Echo()), Opcode.BINARY)


class _EchoSession(Session[Any]):
    """Answers every command with itself."""

    def receive(self, command: Any, now_s: float) -> list[Effect]:
        return [Send(command)] if self.state is not State.CLOSED else []

    def spend(self, now_s: float) -> list[Effect]:
        """The suite sends messages in 65,536 fragments."""
        return []


class _EchoConnection(WebSocket):
    """Echoes in the kind of frame that came: clients of the product speak one kind only."""

    def __init__(self, worker: Worker, spoken: WebSocketFormat) -> None:
        super().__init__(worker, spoken)
        self.session = _EchoSession("echo", worker.limits)

    def _frame(self, frame: Frame, answers: Iterator[bytes]) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self.format = _TEXT if frame.opcode is Opcode.TEXT else _BINARY
        super()._frame(frame, answers)


class _EchoReception(Reception):
    """Lets everybody in."""

    def _connection(self, spoken: WebSocketFormat) -> WebSocket:
        return _EchoConnection(self.worker, _TEXT)


@asynccontextmanager
async def echo_server() -> AsyncIterator[str]:
    """Serve on a free port of loopback; yield the URL."""
    loop = asyncio.get_running_loop()
    settings = Settings(max_message_bytes=_LARGEST, write_buffer_bytes=_LARGEST, connect_timeout_s=600.0)
    nobody = cast("Any", None)
    wheel = Wheel(now_s=loop.time())
    worker = Worker(
        settings,
        limits=Limits(),
        access=nobody,
        operations=nobody,
        topics=nobody,
        directory=nobody,
        arrivals=nobody,
        recovery=nobody,
        presence=nobody,
        roll_call=nobody,
        publisher=nobody,
        tally=Tally(),
        wheel=wheel,
    )
    admission = Admission(per_second=10_000, max_connections=1_000, descriptors=2_000, now_s=worker.now_s())
    reception = _EchoReception(worker, Handshake(()), admission)
    server = await loop.create_server(lambda: Door(reception, lambda: nobody), "127.0.0.1", 0)
    ticking = asyncio.create_task(_tick(worker))
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/connection/websocket"
    finally:
        ticking.cancel()
        server.close()
        for connection in [*worker.connections]:
            connection.abort()


async def _tick(worker: Worker) -> None:
    while True:
        await asyncio.sleep(worker.wheel.tick_s)
        worker.wheel.advance(worker.now_s())
