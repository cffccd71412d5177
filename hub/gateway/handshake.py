"""The opening handshake, as far as it needs no socket: reading the head, the checks on it, and the answers.

The WebSocket part (RFC 6455, section 4.2) is that of the `websockets` library. What it keeps per handshake is not kept
per connection: one `Handshake` serves all connections of a worker.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.datastructures import Headers, MultipleValuesError
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from websockets.typing import Subprotocol

PATH = "/connection/websocket"
_JSON = Subprotocol("centrifuge-json")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
SWITCHING = int(HTTPStatus.SWITCHING_PROTOCOLS)


class BadHead(Exception):
    """The bytes are no HTTP/1.1 request head."""


def asks_for_websocket(head: bytes | bytearray) -> bool:
    """Say whether a request's head is for the gateway, by its path alone."""
    line = head[: head.find(b"\r\n")].split(b" ")
    return len(line) == 3 and line[1].partition(b"?")[0] == PATH.encode()  # noqa: PLR2004 - method, target, version


def parse_head(head: bytes) -> Request:
    """Return the request of a complete head. Raises BadHead."""
    reader = StreamReader()
    reader.feed_data(head)
    reader.feed_eof()
    parsing = Request.parse(reader.read_line)
    try:
        next(parsing)
    except StopIteration as done:
        request: Request = done.value
        return request
    except Exception as error:  # The parser raises ValueError, EOFError and SecurityError, each for a bad head.
        raise BadHead from error
    raise BadHead


def request_of(method: str, path: str, raw_headers: Iterable[tuple[bytes, bytes]]) -> Request:
    """Return the request that another HTTP server has parsed already."""
    headers = Headers()
    for name, value in raw_headers:
        headers[name.decode("latin-1")] = value.decode("latin-1")
    return Request(path, headers, method=method, protocol="HTTP/1.1")


class Handshake:
    """Accepts or refuses WebSocket handshakes."""

    def __init__(self, allowed_origins: Sequence[str]) -> None:
        """Take the exact origins browsers may come from; none: only the host that they connect to."""
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in allowed_origins)
        log = logging.getLogger("hub.websocket.handshake")
        log.setLevel(logging.ERROR)
        self._checks = ServerProtocol(select_subprotocol=_select, logger=log)

    def answer(self, request: Request) -> Response:
        """Return the response to a handshake; with the status `SWITCHING` the connection is a WebSocket from now on."""
        if not self._origin_allowed(request.headers):
            return self._checks.reject(HTTPStatus.FORBIDDEN, "This origin may not connect.\n")
        return self._checks.accept(request)

    def _origin_allowed(self, headers: Headers) -> bool:
        """Browsers always send their origin, and pages of others shall not use a visitor's browser to get in here."""
        try:
            origin = headers.get("Origin")
            host = headers.get("Host")
        except MultipleValuesError:
            return False
        if origin is None:
            return True
        origin = origin.lower()
        if self._allowed:
            return origin in self._allowed
        return host is not None and _same_host(origin, host.lower())


def refusal(status: HTTPStatus, text: str, *, retry_after_s: int | None = None) -> bytes:
    """Return a whole response that refuses a request and ends the connection."""
    retry = "" if retry_after_s is None else f"Retry-After: {retry_after_s}\r\n"
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n{retry}"
        f"Content-Length: {len(text.encode())}\r\nConnection: close\r\n\r\n{text}"
    ).encode()


def _same_host(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in _DEFAULT_PORTS or parts.path or parts.query or parts.fragment:
        return False
    default = _DEFAULT_PORTS[parts.scheme]
    return parts.netloc.removesuffix(default) == host.removesuffix(default)


def _select(_: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    # Protobuf is not served: it is not selected, and the first binary frame is told so.
    return _JSON if _JSON in offered else None
