"""Frames to commands, and replies and pushes to bytes.

One WebSocket text frame holds JSON values separated by newlines. A publication is encoded once, however many
connections it goes to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from hub.protocol.codes import CommandError, Unsubscribed
from hub.protocol.wire import Command, Error, Publication, Push, Pushed, Reply, UnsubscribePush

PING = b"{}"
"""What the server sends as a ping, and what the client answers."""

_commands = msgspec.json.Decoder(Command)
_encoder = msgspec.json.Encoder()
_ID = re.compile(rb'\s*\{\s*"id"\s*:\s*(\d{1,10})\s*[,}]')
_KNOWN = frozenset(field.name for field in msgspec.structs.fields(Command)) - {"id"}


class Malformed(Exception):
    """A line is no command. `id` is that of the command where it can still be told, so that it can be answered."""

    def __init__(self, command_id: int = 0) -> None:
        super().__init__("not a command")
        self.id = command_id


def decode_frame(frame: bytes | bytearray) -> list[Command | Malformed]:
    """Return the commands of a frame in order, with a `Malformed` for each line that is none."""
    try:
        return [*_commands.decode_lines(frame)]
    except (msgspec.DecodeError, RecursionError):
        return [_decode_line(line) for line in bytes(frame).split(b"\n") if line.strip()]


def _decode_line(line: bytes) -> Command | Malformed:
    try:
        return _commands.decode(line)
    except msgspec.ValidationError:
        # JSON, but not of our types: refuse the one command, if it says which it is.
        found = _ID.match(line)
        return Malformed(int(found[1]) if found else 0)
    except (msgspec.DecodeError, RecursionError):
        return Malformed()


def encode_reply(reply: Reply) -> bytes:
    """Return one reply as a line."""
    return _one_line(_encoder.encode(reply))


def encode_error(command_id: int, error: CommandError) -> bytes:
    """Return the refusal of a command as a line."""
    return _encoder.encode(Reply(command_id, error=Error(error.code, error.message, error.temporary)))


def encode_publication(topic: str, data: bytes, offset: int) -> bytes:
    """Return the push of one publication. `data` is one JSON value; `offset` 0 stands for a topic without history."""
    publication = Publication(msgspec.Raw(data), offset)
    return _one_line(_encoder.encode(Pushed(Push(topic, pub=publication))))


def encode_unsubscribe(topic: str, why: Unsubscribed) -> bytes:
    """Return the push that ends a client's subscription."""
    return _encoder.encode(Pushed(Push(topic, unsubscribe=UnsubscribePush(why.code, why.reason))))


def join_lines(lines: Iterable[bytes]) -> bytes:
    """Return the payload of one frame with several replies and pushes."""
    return b"\n".join(lines)


def _one_line(encoded: bytes) -> bytes:
    # Embedded JSON may be written over several lines. Inside of JSON strings line breaks are escaped, so every raw
    # one is white space between tokens.
    if b"\n" in encoded:
        return encoded.replace(b"\n", b" ")
    return encoded
