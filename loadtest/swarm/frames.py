"""WebSocket frames as cheaply as a load driver needs them (RFC 6455 section 5).

A driver must cost less than what it measures: it understands whole text frames, pings and closes of a server that is
tested for conformance elsewhere, and masks with zeros, which is valid and free.
"""

from __future__ import annotations

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_FIN = 0x80
_MASKED = 0x80
_NO_MASK = bytes(4)
_SHORT, _TWO_BYTES = 125, 0xFFFF


def encode(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return one masked frame for the server."""
    length = len(payload)
    if length <= _SHORT:
        head = bytes((_FIN | opcode, _MASKED | length))
    elif length <= _TWO_BYTES:
        head = bytes((_FIN | opcode, _MASKED | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((_FIN | opcode, _MASKED | 127)) + length.to_bytes(8, "big")
    return head + _NO_MASK + payload


def cut(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Return (opcode, payload) of every frame that is complete, and how many bytes they take."""
    found: list[tuple[int, bytes]] = []
    start, end = 0, len(data)
    while end - start >= 2:
        length, body = data[start + 1], start + 2
        if length == 126:
            body += 2
            length = int.from_bytes(data[start + 2 : body], "big") if end >= body else end
        elif length == 127:
            body += 8
            length = int.from_bytes(data[start + 2 : body], "big") if end >= body else end
        if end - body < length:
            break
        found.append((data[start] & 0x0F, data[body : body + length]))
        start = body + length
    return found, start


class Decoder:
    """Cuts a byte stream into the payloads of whole frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return (opcode, payload) of every frame that is complete now."""
        data = self._buffer + data if self._buffer else data
        found, consumed = cut(data)
        self._buffer = data[consumed:]
        return found
