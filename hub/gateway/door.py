"""The one door: a listening port for WebSocket connections, event streams and everything else.

A door reads the head of the first request, within its own time and size limits. A request for one of the gateway's
paths is answered here, and the transport then belongs to a `WebSocket` or an `EventStream`. Any other transport is
handed to the HTTP server with all that has been read. Where a kept-alive HTTP connection asks for one of them later,
that arrives inside the HTTP server: see `Gateway.upgrade_from_http` and `stream_from_http`.

Who sends half a head and waits holds a descriptor until its time is up. Where descriptors run out, those who have
waited longest go first: an honest client has sent its head at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

from hub.gateway.admission import Admission
from hub.gateway.event_stream import EventStream, no_stream
from hub.gateway.formats import WebSocketFormat
from hub.gateway.handshake import BadHead, Handshake, Refused, Request, asks_for_websocket, parse_head, refusal
from hub.gateway.stream_request import asks_for_stream, body_length, read_request
from hub.gateway.websocket import WebSocket
from hub.gateway.worker import Worker
from hub.protocol import codes

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

    def receive_stream(self, request: Request, body: bytes, transport: asyncio.Transport) -> EventStream | bytes:
        """Make the transport an event stream; or return the response that refuses it."""
        worker = self._worker
        asked = read_request(request, body, self._handshake)
        if isinstance(asked, Refused):
            worker.tally.accepted[f"refused_{asked.status.value}"] += 1
            return asked.response
        reason = self._admission.refuse(connections=len(worker.connections), now_s=worker.now_s())
        if reason is not None:
            worker.tally.accepted[reason] += 1
            return no_stream(asked, codes.SHUTDOWN if self._admission.closed else codes.TOO_MANY_REQUESTS)
        address = ""
        if worker.addresses.limited:
            address = worker.addresses.of(_peer(transport), request.fields.get("x-forwarded-for", ""))
            if not worker.addresses.take(address):
                worker.tally.accepted["address"] += 1
                return no_stream(asked, codes.TOO_MANY_REQUESTS)
        stream = EventStream(worker, asked)
        stream.open(transport, address=address)
        return stream

    def _connection(self, spoken: WebSocketFormat) -> WebSocket:
        return WebSocket(self._worker, spoken)

    def _come_again(self, status: HTTPStatus, reason: str) -> bytes:
        self._worker.tally.accepted[reason] += 1
        return refusal(status, "Try again later.\n", f"Retry-After: {self._admission.retry_after_s()}\r\n")

    def opened(self, door: Door) -> None:
        """A client has come to a door."""
        worker = self._worker
        self._admission.came += 1
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

    __slots__ = ("_asking", "_buffer", "_http", "_reception", "_transport", "slot")

    def __init__(self, reception: Reception, http: Callable[[], asyncio.Protocol]) -> None:
        """Take `http`, which makes the protocol of an HTTP connection."""
        self._reception = reception
        self._http = http
        self._transport: asyncio.Transport | None = None
        self._buffer: bytes | bytearray = b""
        self._asking: tuple[Request, int] | None = None
        """The request for an event stream and the length of its body, while that arrives."""
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
        if self._asking is None:
            self._read_head(transport)
        else:
            self._read_body(transport, *self._asking)

    def _read_head(self, transport: asyncio.Transport) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end > _MAX_HEAD_BYTES or (end < 0 and len(self._buffer) > _MAX_HEAD_BYTES):
            self._refuse(transport, refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head is too large.\n"))
            return
        if end < 0:
            return
        head, rest = bytes(self._buffer[: end + 4]), bytes(self._buffer[end + 4 :])
        self._buffer = b""
        stream = asks_for_stream(head)
        if not stream and not asks_for_websocket(head):
            self._hand_over(transport, head + rest)
            return
        try:
            request = parse_head(head)
        except BadHead:
            self._refuse(transport, refusal(HTTPStatus.BAD_REQUEST, "This is no HTTP request.\n"))
            return
        if stream:
            self._ask_for_stream(transport, request, rest)
        else:
            self._enter(transport, self._reception.receive(request, transport), rest)

    def _ask_for_stream(self, transport: asyncio.Transport, request: Request, rest: bytes) -> None:
        length = body_length(request, max_bytes=self._reception.worker.settings.max_message_bytes)
        if isinstance(length, Refused):
            self._refuse(transport, length.response)
            return
        self._asking, self._buffer = (request, length), rest
        self._read_body(transport, request, length)

    def _read_body(self, transport: asyncio.Transport, request: Request, length: int) -> None:
        if len(self._buffer) >= length:
            body, rest = bytes(self._buffer[:length]), bytes(self._buffer[length:])
            self._enter(transport, self._reception.receive_stream(request, body, transport), rest)

    def _enter(self, transport: asyncio.Transport, outcome: asyncio.Protocol | bytes, rest: bytes) -> None:
        """Leave the transport to its new protocol, with what it has sent already; or see its client off."""
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
