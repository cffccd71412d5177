"""WebSocket frames as a server writes them (RFC 6455, section 5): unmasked, so the same bytes fit every connection."""

from __future__ import annotations

import struct

_FIN = 0x80
_CLOSE = 0x8
_MASKED = 0x80
_TWO_BYTES = 126
_EIGHT_BYTES = 127
_CONTROL = 0x8
_MASK_LENGTH = 4
_MAX_REASON_BYTES = 123
_medium_head = struct.Struct("!BBH").pack


def data_frame(opcode: int, payload: bytes) -> bytes:
    """Return one whole frame: `opcode` 1 of text, 2 of binary data."""
    length = len(payload)
    if _TWO_BYTES <= length <= 0xFFFF:  # noqa: PLR2004 - what two bytes hold; nearly every publication
        return _medium_head(_FIN | opcode, _TWO_BYTES, length) + payload
    return _head(_FIN | opcode, length) + payload


def close_frame(code: int, reason: str) -> bytes:
    """Return a close frame. The reason is cut to the 123 bytes that fit."""
    text = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore").encode()
    return _head(_FIN | _CLOSE, len(text) + 2) + struct.pack("!H", code) + text


def _head(first: int, length: int) -> bytes:
    if length < _TWO_BYTES:
        return bytes((first, length))
    if length <= 0xFFFF:  # noqa: PLR2004 - what two bytes hold
        return _medium_head(first, _TWO_BYTES, length)
    return struct.pack("!BBQ", first, _EIGHT_BYTES, length)


def holds_whole_messages(data: bytes | bytearray) -> bool:
    """Say whether a read from a client ends exactly where a message ends.

    True only for a sequence of complete, masked, unfragmented frames below 64 KiB: what nearly every read is. A frame
    parser that stands between two messages stands there again after such a read. Says nothing of validity otherwise.
    """
    at = 0
    size = len(data)
    while at + 2 <= size:
        first, second = data[at], data[at + 1]
        if not first & _FIN or not first & 0x0F or not second & _MASKED:
            return False
        length = second & 0x7F
        at += 2
        if length == _EIGHT_BYTES:
            return False
        if length == _TWO_BYTES:
            if at + 2 > size:
                return False
            length = data[at] << 8 | data[at + 1]
            at += 2
        at += _MASK_LENGTH + length
        if at == size:
            return True
    return False
