"""WebSocket frames as a server writes them (RFC 6455, section 5): unmasked, so the same bytes fit every connection."""

from __future__ import annotations

import struct

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # the fast one where there is one

FIN = 0x80
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
        return _medium_head(FIN | opcode, _TWO_BYTES, length) + payload
    return _head(FIN | opcode, length) + payload


def close_frame(code: int, reason: str) -> bytes:
    """Return a close frame. The reason is cut to the 123 bytes that fit."""
    text = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore").encode()
    return _head(FIN | _CLOSE, len(text) + 2) + struct.pack("!H", code) + text


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
        if not first & FIN or not first & 0x0F or not second & _MASKED:
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


def whole_messages(data: bytes, first_byte: int, *, max_bytes: int) -> list[bytes] | None:
    """Return the payloads of a read that is nothing but whole frames with this first byte, or None for any other read.

    With the first byte of an unfragmented text or binary frame that is what nearly every read from a client is. For
    such frames it does what a frame parser does, at a fifth of the cost: they are masked, below 64 KiB and not above
    `max_bytes`. None says nothing of validity.
    """
    payloads: list[bytes] = []
    at = 0
    size = len(data)
    while at + 6 <= size:
        length = data[at + 1] & 0x7F
        if data[at] != first_byte or not data[at + 1] & _MASKED or length == _EIGHT_BYTES:
            return None
        at += 2
        if length == _TWO_BYTES:
            length = data[at] << 8 | data[at + 1]
            at += 2
        start = at + _MASK_LENGTH
        at = start + length
        if length > max_bytes or at > size:
            return None
        payloads.append(apply_mask(data[start:at], data[start - _MASK_LENGTH : start]))
    return payloads if at == size else None
