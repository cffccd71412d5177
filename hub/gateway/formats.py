"""What is written to a socket, in each format that a connection can speak.

A format is a codec and the kind of WebSocket frame that carries it. There is one object per format in a process; a
connection has a reference to its own. So whoever writes to many encodes once for each format, not for each connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from websockets.frames import Opcode

from hub.gateway.frames import FIN, data_frame
from hub.protocol.codec import Codec
from hub.protocol.json_codec import JsonCodec
from hub.protocol.protobuf_codec import ProtobufCodec
from hub.protocol.wire import Message, Push


class Format(Protocol):
    """How messages are put for one kind of receiver. Compared and hashed by identity."""

    def frame(self, messages: Sequence[Message]) -> bytes:
        """Return the bytes to write for these messages, of which there is at least one."""


class WebSocketFormat:
    """A codec in WebSocket frames of one kind."""

    __slots__ = ("_encode", "_opcode", "codec", "first_byte", "opcode", "ping_frame")

    def __init__(self, codec: Codec, opcode: Opcode) -> None:
        self.codec = codec
        self.opcode = opcode
        # Arithmetic with an enumeration's members is slow, and this is done for each publication.
        self._opcode = int(opcode)
        self.first_byte = FIN | self._opcode
        self._encode = codec.encode
        self.ping_frame = data_frame(self._opcode, codec.ping)

    def frame(self, messages: Sequence[Message]) -> bytes:
        """Return one whole frame."""
        return data_frame(self._opcode, self._encode(messages))


JSON = WebSocketFormat(JsonCodec(), Opcode.TEXT)
PROTOBUF = WebSocketFormat(ProtobufCodec(), Opcode.BINARY)


class EventFormat:
    """Events of an event stream (WHATWG HTML, section 9.2.6), each with a push as its data; no replies."""

    __slots__ = ("_encode",)

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode

    def frame(self, messages: Sequence[Message]) -> bytes:
        """Return whole events, without ids."""
        return b"".join([b"data: %s\n\n" % _on_one_line(self._encode(message)) for message in messages])


def _on_one_line(encoded: bytes) -> bytes:
    # Line breaks may only be white space between the tokens of embedded JSON. Either of the two ends a line here.
    return encoded.translate(_NO_BREAKS) if b"\n" in encoded or b"\r" in encoded else encoded


_NO_BREAKS = bytes.maketrans(b"\r\n", b"  ")
EVENTS = EventFormat()


class Frames(dict[Format, bytes]):
    """One push in every format that somebody wants it in: `frames[format]` encodes it when it is first asked for."""

    __slots__ = ("messages",)

    def __init__(self, push: Push) -> None:
        self.messages = (push,)

    def __missing__(self, wanted: Format) -> bytes:
        frame = self[wanted] = wanted.frame(self.messages)
        return frame
