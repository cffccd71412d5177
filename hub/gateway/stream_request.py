"""What asks for an event stream: its path, the checks on it and what is in it. Pure: bytes in, values or answers out.

The endpoint is Centrifugo's `uni_sse`: GET with the connect request as JSON in the query (`cf_connect`), which is all
that a browser's EventSource can do, or POST with the same JSON as the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from hub.gateway.handshake import Handshake, Refused, Request, refusal
from hub.protocol.event_ids import BadEventId, Reached, decode
from hub.protocol.wire import ConnectRequest

PATH = "/connection/uni_sse"
METHODS = ("GET", "POST", "OPTIONS")
_PATH = PATH.encode()
_PREFLIGHT = (
    "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Methods: GET, POST\r\n"
    "Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID\r\n"
    "Access-Control-Max-Age: 86400\r\n{}Connection: close\r\n\r\n"
)
_STREAM = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n"
    "X-Content-Type-Options: nosniff\r\n{}Connection: close\r\n\r\n"
)
_request = msgspec.json.Decoder(ConnectRequest)


class Asked(NamedTuple):
    """A request that is good as far as can be seen without knowing whose it is.

    `head` is that of the answer; `cors` are the fields that any other answer to it needs.
    """

    connect: ConnectRequest
    reached: Reached
    head: bytes
    cors: str
    by_browser: bool
    """Whether it is an EventSource: that gives up for good on any status but 200."""


def asks_for_stream(head: bytes | bytearray) -> bool:
    """Say whether a request's head is for an event stream, by its path alone."""
    line = head[: head.find(b"\r\n")].split(b" ")
    return len(line) == 3 and line[1].partition(b"?")[0] == _PATH  # noqa: PLR2004 - method, target, version


def body_length(request: Request, *, max_bytes: int) -> int | Refused:
    """Return how many bytes of body follow the head."""
    fields = request.fields
    if "transfer-encoding" in fields:
        return _refused(HTTPStatus.LENGTH_REQUIRED, "Send the body with a Content-Length.\n")
    text = fields.get("content-length", "0")
    if not (text.isascii() and text.isdecimal()):
        return _refused(HTTPStatus.BAD_REQUEST, "Content-Length is no number.\n")
    # A number of thousands of digits need not be understood to be too large.
    if len(text) > len(str(max_bytes)) or int(text) > max_bytes:
        return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is above {max_bytes} bytes.\n")
    return int(text)


def read_request(request: Request, body: bytes, handshake: Handshake) -> Asked | Refused:
    """Return what is asked for, or the answer that ends the matter: a mistake, or a browser's question beforehand."""
    fields = request.fields
    if not handshake.origin_allowed(fields):
        return _refused(HTTPStatus.FORBIDDEN, "This origin may not connect.\n")
    origin = fields.get("origin")
    cors = f"Access-Control-Allow-Origin: {origin}\r\nVary: Origin\r\n" if origin else ""
    if request.method == "OPTIONS":
        return Refused(HTTPStatus.NO_CONTENT, _PREFLIGHT.format(cors).encode())
    if request.method not in METHODS:
        return _refused(HTTPStatus.METHOD_NOT_ALLOWED, "Use GET or POST.\n", f"Allow: {', '.join(METHODS)}\r\n{cors}")
    try:
        connect = _connect(request, body)
        reached = decode(fields["last-event-id"]) if fields.get("last-event-id") else Reached({})
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        place = "cf_connect" if request.method == "GET" else "body"
        return _refused(HTTPStatus.BAD_REQUEST, f"{place}: {error}\n", cors)
    except BadEventId:
        return _refused(HTTPStatus.BAD_REQUEST, "Last-Event-ID: is no id of an event from here.\n", cors)
    by_browser = request.method == "GET" and "text/event-stream" in fields.get("accept", "")
    return Asked(connect, reached, _STREAM.format(cors).encode(), cors, by_browser)


def _connect(request: Request, body: bytes) -> ConnectRequest:
    if request.method == "GET":
        query = parse_qs(urlsplit(request.target).query, max_num_fields=16, errors="strict")
        body = query.get("cf_connect", ["{}"])[0].encode()
    connect = _request.decode(body or b"{}")
    return connect if connect.token else msgspec.structs.replace(connect, token=_bearer(request.fields))


def _bearer(fields: Mapping[str, str]) -> str:
    scheme, _, token = fields.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _refused(status: HTTPStatus, text: str, fields: str = "") -> Refused:
    return Refused(status, refusal(status, text, fields))
