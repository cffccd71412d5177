"""The JSON format: a payload holds JSON values separated by newlines."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from hub.protocol.codec import Malformed
from hub.protocol.wire import Command, Message, Push, Pushed

_commands = msgspec.json.Decoder(Command)
_encode = msgspec.json.Encoder().encode
_ID = re.compile(rb'\s*\{\s*"id"\s*:\s*(\d{1,10})\s*[,}]')


class JsonCodec:
    """A `Codec`. The data of publications and results is embedded as it is."""

    ping = b"{}"

    def decode(self, payload: bytes | bytearray) -> list[Command | Malformed]:
        """Return a command or a `Malformed` for each line that is not empty."""
        try:
            return [*_commands.decode_lines(payload)]
        except (msgspec.DecodeError, RecursionError):
            return [_decode_line(line) for line in bytes(payload).split(b"\n") if line.strip()]

    def encode(self, messages: Sequence[Message]) -> bytes:
        """Return one line for each message."""
        if len(messages) == 1:
            return _line(messages[0])
        return b"\n".join([_line(message) for message in messages])


def _decode_line(line: bytes) -> Command | Malformed:
    try:
        return _commands.decode(line)
    except msgspec.ValidationError:
        # JSON, but not of our types: refuse the one command, if it says which it is.
        found = _ID.match(line)
        return Malformed(int(found[1]) if found else 0)
    except (msgspec.DecodeError, RecursionError):
        return Malformed()


def _line(message: Message) -> bytes:
    encoded = _encode(Pushed(message) if type(message) is Push else message)
    # Embedded JSON may be written over several lines. Inside of JSON strings line breaks are escaped, so every raw one
    # is white space between tokens.
    return encoded.replace(b"\n", b" ") if b"\n" in encoded else encoded
