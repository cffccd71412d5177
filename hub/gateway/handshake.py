"""The opening handshake, as far as it needs no socket: reading the head, the checks on it, and the answers.

The rules are those of RFC 6455, section 4.2, on top of RFC 9112. They are kept here and not by a library because half
of what an accepted connection costs would otherwise go into a general HTTP parser: a head is one match of a regular
expression that allows exactly what those rules allow.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha1
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from hub.gateway.formats import JSON, PROTOBUF, WebSocketFormat

PATH = "/connection/websocket"
_PATH = PATH.encode()
_FORMATS = {"centrifuge-json": JSON, "centrifuge-protobuf": PROTOBUF}
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_HEAD = re.compile(
    # Names and values cannot hold what ends them, so there is one way to match and the time taken is linear.
    rf"({_WORD}) ([\x21-\x7e]+) HTTP/1\.1\r\n"
    rf"((?:{_WORD}:[\t \x21-\x7e\x80-\xff]*\r\n)*)\r\n"
)
_FIELD = re.compile(r"([^:\r\n]+):[\t ]*([^\r\n]*)")
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
"""Base64 of 16 bytes."""
_HOST = re.compile(r"[^\s,/?#@]+")
_MAX_FIELDS = 128
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SWITCHING = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n"
)


class BadHead(Exception):
    """The bytes are no HTTP/1.1 request head."""


class Request(NamedTuple):
    """The head of a request. Field names are in lower case; what came in several fields of a name is one list."""

    method: str
    target: str
    fields: Mapping[str, str]


class Accepted(NamedTuple):
    """A handshake that is good: once `response` is written, the connection is a WebSocket with messages in `format`."""

    response: bytes
    format: WebSocketFormat


class Refused(NamedTuple):
    """A handshake that is not. `response` is whole; the connection ends with it."""

    status: HTTPStatus
    response: bytes


def asks_for_websocket(head: bytes | bytearray) -> bool:
    """Say whether a request's head is for the gateway, by its path alone."""
    line = head[: head.find(b"\r\n")].split(b" ")
    return len(line) == 3 and line[1].partition(b"?")[0] == _PATH  # noqa: PLR2004 - method, target, version


def parse_head(head: bytes) -> Request:
    """Return the request of a complete head. Raises BadHead."""
    match = _HEAD.fullmatch(head.decode("latin-1"))
    if match is None:
        raise BadHead
    method, target, lines = match.groups()
    fields = _FIELD.findall(lines)
    if len(fields) > _MAX_FIELDS:
        raise BadHead
    return Request(method, target, _by_name(fields))


def request_of(method: str, target: str, raw_headers: Iterable[tuple[bytes, bytes]]) -> Request:
    """Return the request that another HTTP server has parsed already."""
    fields = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw_headers)
    return Request(method, target, _by_name(fields))


def _by_name(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in fields:
        key = name.lower()
        text = value.rstrip("\t ")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


class Handshake:
    """Accepts or refuses WebSocket handshakes."""

    def __init__(self, allowed_origins: Sequence[str]) -> None:
        """Take the exact origins browsers may come from; none: only the host that they connect to."""
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in allowed_origins)

    def answer(self, request: Request) -> Accepted | Refused:
        """Return the response to a handshake. Fields that may come once only are bad when they come twice."""
        fields = request.fields
        if not self.origin_allowed(fields):
            return _refuse(HTTPStatus.FORBIDDEN, "This origin may not connect.\n")
        if request.method != "GET":
            return _refuse(HTTPStatus.METHOD_NOT_ALLOWED, "A WebSocket handshake is a GET.\n", "Allow: GET\r\n")
        if not _has_token(fields, "upgrade", "websocket") or not _has_token(fields, "connection", "upgrade"):
            return _refuse(HTTPStatus.UPGRADE_REQUIRED, "This is for WebSocket clients.\n", "Upgrade: websocket\r\n")
        if fields.get("sec-websocket-version") != "13":
            version = "Sec-WebSocket-Version: 13\r\n"
            return _refuse(HTTPStatus.UPGRADE_REQUIRED, "The WebSocket version must be 13.\n", version)
        key = fields.get("sec-websocket-key", "")
        if _KEY.fullmatch(key) is None:
            return _refuse(HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64.\n")
        if _HOST.fullmatch(fields.get("host", "")) is None:
            return _refuse(HTTPStatus.BAD_REQUEST, "There must be one Host.\n")
        if "transfer-encoding" in fields or fields.get("content-length", "0") != "0":
            return _refuse(HTTPStatus.BAD_REQUEST, "A WebSocket handshake has no body.\n")
        subprotocol, spoken = _negotiate(request)
        response = _SWITCHING.format(_accept_key(key))
        if subprotocol:
            response += f"Sec-WebSocket-Protocol: {subprotocol}\r\n"
        return Accepted(f"{response}\r\n".encode(), spoken)

    def origin_allowed(self, fields: Mapping[str, str]) -> bool:
        """Browsers always send their origin, and pages of others shall not use a visitor's browser to get in here."""
        origin = fields.get("origin")
        if origin is None:
            return True
        origin = origin.lower()
        if self._allowed:
            return origin in self._allowed
        return _same_host(origin, fields.get("host", "").lower())


def _negotiate(request: Request) -> tuple[str, WebSocketFormat]:
    """Return the subprotocol to select, empty for none, and the format.

    As the reference server does it: of the subprotocols that it knows it selects JSON's before protobuf's, it lets
    clients in that offer only others, and `format=protobuf` in the target decides by itself.
    """
    fields = request.fields
    subprotocol = ""
    if "sec-websocket-protocol" in fields:
        subprotocol = next((known for known in _FORMATS if _has_token(fields, "sec-websocket-protocol", known)), "")
    _, _, query = request.target.partition("?")
    if query and ("format", "protobuf") in parse_qsl(query):
        return subprotocol, PROTOBUF
    return subprotocol, _FORMATS.get(subprotocol, JSON)


def refusal(status: HTTPStatus, text: str, fields: str = "") -> bytes:
    """Return a whole response that refuses a request and ends the connection. `fields` end with a line break each."""
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n{fields}"
        f"Content-Length: {len(text.encode())}\r\nConnection: close\r\n\r\n{text}"
    ).encode()


def _refuse(status: HTTPStatus, text: str, fields: str = "") -> Refused:
    return Refused(status, refusal(status, text, fields))


def _has_token(fields: Mapping[str, str], name: str, token: str) -> bool:
    """Say whether a list of tokens has this one; case does not count."""
    value = fields.get(name, "").lower()
    return value == token or token in (each.strip() for each in value.split(","))


def _accept_key(key: str) -> str:
    # RFC 6455, section 1.3: proves that the server speaks WebSocket; it protects nothing.
    return b64encode(sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()


def _same_host(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in _DEFAULT_PORTS or parts.path or parts.query or parts.fragment:
        return False
    default = _DEFAULT_PORTS[parts.scheme]
    return parts.netloc.removesuffix(default) == host.removesuffix(default)
