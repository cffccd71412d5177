"""The one door: a listening port for WebSocket connections and for everything else.

A door reads the head of the first request, within its own time and size limits. A request for the gateway's path is
answered here, and the transport then belongs to a `WebSocket`. Any other transport is handed to the HTTP server with
all that has been read. Where a kept-alive HTTP connection asks for an upgrade later, that arrives inside the HTTP
server: see `Gateway.upgrade_from_http`.

Who sends half a head and waits holds a descriptor until its time is up. Where descriptors run out, those who have
waited longest go first: an honest client has sent its head at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

from hub.gateway.admission import Admission
from hub.gateway.formats import WebSocketFormat
from hub.gateway.handshake import BadHead, Handshake, Refused, Request, asks_for_websocket, parse_head, refusal
from hub.gateway.websocket import WebSocket
from hub.gateway.worker import Worker

_MAX_HEAD_BYTES = 16_384
_LINGER_S = 2.0
"""How long a client that was refused may take to hang up."""
_MAX_LINGERING = 128
"""Beyond, those who are refused are hung up on, and may not get to read why."""


class Reception:
    """Decides about handshakes, wherever they come in, and keeps the doors."""

    def __init__(self, worker: Worker, handshake: Handshake, admission: Admission) -> None:
        self._worker = worker
        self._handshake = handshake
        self._admission = admission
        self._waiting: dict[Door, None] = {}
        """Doors whose clients have not said what they want, the one that has waited longest first."""
        self._lingering = 0

    @property
    def worker(self) -> Worker:
        """What the connections share."""
        return self._worker

    def receive(self, request: Request, transport: asyncio.Transport) -> WebSocket | bytes:
        """Make the transport a connection; or return the response that refuses it."""
        worker = self._worker
        reason = self._admission.refuse(connections=len(worker.connections), now_s=worker.now_s())
        if reason is not None:
            return self._come_again(HTTPStatus.SERVICE_UNAVAILABLE, reason)
        answer = self._handshake.answer(request)
        if isinstance(answer, Refused):
            worker.tally.accepted[f"refused_{answer.status.value}"] += 1
            return answer.response
        address = ""
        if worker.addresses.limited:
            address = worker.addresses.of(_peer(transport), request.fields.get("x-forwarded-for", ""))
            if not worker.addresses.take(address):
                return self._come_again(HTTPStatus.TOO_MANY_REQUESTS, "address")
        connection = self._connection(answer.format)
        connection.adopt(transport, answer.response, address=address)
        return connection

    def _connection(self, spoken: WebSocketFormat) -> WebSocket:
        return WebSocket(self._worker, spoken)

    def _come_again(self, status: HTTPStatus, reason: str) -> bytes:
        self._worker.tally.accepted[reason] += 1
        return refusal(status, "Try again later.\n", f"Retry-After: {self._admission.retry_after_s()}\r\n")

    def opened(self, door: Door) -> None:
        """A client has come to a door."""
        worker = self._worker
        worker.wheel.set(door, worker.now_s() + worker.settings.handshake_timeout_s)
        self._waiting[door] = None
        if self._admission.crowded(open_here=len(worker.connections) + len(self._waiting) + self._lingering):
            next(iter(self._waiting)).drop()

    def closed(self, door: Door) -> None:
        """The door has done its part."""
        self._worker.wheel.clear(door)
        self._waiting.pop(door, None)

    def see_off(self, transport: asyncio.Transport, response: bytes) -> None:
        """Write a refusal and give the client a moment to read it: closing at once could destroy it on its way."""
        transport.write(response)
        if transport.can_write_eof() and self._lingering < _MAX_LINGERING:
            transport.write_eof()
            self._lingering += 1
            transport.set_protocol(_Lingering(self, transport))
        else:
            transport.close()

    def seen_off(self) -> None:
        """A client that was refused has gone."""
        self._lingering -= 1


class Door(asyncio.Protocol):
    """A transport of which nobody knows yet what it wants."""

    __slots__ = ("_buffer", "_http", "_reception", "_transport", "slot")

    def __init__(self, reception: Reception, http: Callable[[], asyncio.Protocol]) -> None:
        """Take `http`, which makes the protocol of an HTTP connection."""
        self._reception = reception
        self._http = http
        self._transport: asyncio.Transport | None = None
        self._buffer: bytes | bytearray = b""
        self.slot = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the client its time."""
        # asyncio promises a Transport for a stream; those of uvloop are not subclasses.
        self._transport = cast("asyncio.Transport", transport)
        self._reception.opened(self)

    def data_received(self, data: bytes) -> None:
        """Wait for the head to be complete."""
        transport = self._transport
        if transport is None:
            return
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end > _MAX_HEAD_BYTES or (end < 0 and len(self._buffer) > _MAX_HEAD_BYTES):
            self._refuse(transport, refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head is too large.\n"))
            return
        if end < 0:
            return
        head, rest = bytes(self._buffer[: end + 4]), bytes(self._buffer[end + 4 :])
        self._buffer = b""
        if not asks_for_websocket(head):
            self._hand_over(transport, head + rest)
            return
        try:
            request = parse_head(head)
        except BadHead:
            self._refuse(transport, refusal(HTTPStatus.BAD_REQUEST, "This is no HTTP request.\n"))
            return
        outcome = self._reception.receive(request, transport)
        if isinstance(outcome, bytes):
            self._refuse(transport, outcome)
            return
        self._done()
        if rest:
            outcome.data_received(rest)

    def _hand_over(self, transport: asyncio.Transport, read: bytes) -> None:
        self._done()
        protocol = self._http()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(read)

    def _refuse(self, transport: asyncio.Transport, response: bytes) -> None:
        self._done()
        self._reception.see_off(transport, response)

    def _done(self) -> None:
        self._transport = None
        self._reception.closed(self)

    def on_time(self, now_s: float) -> None:
        """The client has not managed to say what it wants."""
        if self._transport is not None:
            self._reception.worker.tally.accepted["timeout"] += 1
            self._refuse(self._transport, refusal(HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time.\n"))

    def drop(self) -> None:
        """Hang up: others need the descriptor."""
        if self._transport is not None:
            self._reception.worker.tally.accepted["crowded"] += 1
            self._transport.abort()
        self._done()

    def eof_received(self) -> bool:
        """A client that stops sending has left."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left."""
        self._done()


class _Lingering(asyncio.Protocol):
    """A transport that was refused and is dropped if the client does not hang up."""

    __slots__ = ("_reception", "_transport", "slot")

    def __init__(self, reception: Reception, transport: asyncio.Transport) -> None:
        self._reception = reception
        self._transport = transport
        self.slot = -1
        worker = reception.worker
        worker.wheel.set(self, worker.now_s() + _LINGER_S)

    def on_time(self, now_s: float) -> None:
        """Drop it."""
        self._transport.abort()

    def eof_received(self) -> bool:
        """The client hangs up."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._reception.worker.wheel.clear(self)
        self._reception.seen_off()


def _peer(transport: asyncio.Transport) -> str:
    """Return the peer's address, empty for a Unix socket."""
    name = transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) else ""
