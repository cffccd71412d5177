"""The protobuf format: a payload holds messages, each after its length as a varint; an empty message is ping and pong.

The values of `hub.protocol.wire` and the messages of `messages.proto` have fields of the same names, so one becomes the
other field by field. Data of publications, calls and results is `bytes` there: the same JSON as in the other format,
and it is checked to be, because the same publication goes to clients of both.
Source: protobuf.dev, "Encoding" and "Techniques: streaming multiple messages".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from google.protobuf.message import DecodeError, Message
from msgspec import Raw

from hub.protocol import messages_pb2 as pb
from hub.protocol import wire
from hub.protocol.codec import Malformed
from hub.protocol.wire import Command, Push

_PONG = Command()
_any_json = msgspec.json.Decoder(Raw)
_MORE = 0x80
_LOW = 0x7F
_MAX_LENGTH_BITS = 32


class ProtobufCodec:
    """A `Codec`."""

    ping = b"\x00"

    def decode(self, payload: bytes | bytearray) -> list[Command | Malformed]:
        """Return a command or a `Malformed` for each message. Nothing can be told from what follows a bad length."""
        commands: list[Command | Malformed] = []
        data = bytes(payload)
        at = 0
        while at < len(data):
            length, at = _varint(data, at)
            if length is None or length > len(data) - at:
                return [*commands, Malformed()]
            commands.append(_command(data[at : at + length]) if length else _PONG)
            at += length
        return commands

    def encode(self, messages: Sequence[wire.Message]) -> bytes:
        """Return the messages, each after its length."""
        return b"".join([_delimited(_message(message)) for message in messages])


def _varint(data: bytes, at: int) -> tuple[int | None, int]:
    """Return the number at a place and the place after it; None if it is cut off or too large for a length."""
    value = 0
    for shift in range(0, _MAX_LENGTH_BITS, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & _LOW) << shift
        if byte < _MORE:
            return value, at
    return None, at


def _delimited(message: Message) -> bytes:
    encoded = message.SerializeToString()
    length = len(encoded)
    if length < _MORE:
        return length.to_bytes(1) + encoded
    head = bytearray()
    while length >= _MORE:
        head.append(length & _LOW | _MORE)
        length >>= 7
    head.append(length)
    return bytes(head) + encoded


def _message(message: wire.Message) -> pb.Reply:
    if not isinstance(message, Push):
        return pb.Reply(**_fields_of(message))
    if message.pub is not None and message.pub.info is None:
        return _publication(message.channel, message.pub)
    return pb.Reply(push=_fields_of(message))


def _publication(channel: str, publication: wire.Publication) -> pb.Reply:
    """What is sent most by far, in half the time that the way over dictionaries takes."""
    reply = pb.Reply()
    push = reply.push
    push.channel = channel
    pub = push.pub
    pub.data = bytes(publication.data)
    pub.offset = publication.offset
    return reply


def _fields_of(message: wire.Message) -> Any:
    return msgspec.to_builtins(message, builtin_types=(bytes,), enc_hook=bytes)


def _command(encoded: bytes) -> Command | Malformed:
    try:
        message = pb.Command.FromString(encoded)
    except DecodeError:
        return Malformed()
    try:
        return msgspec.convert(_values(message), Command)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Its data is not JSON: refuse the one command.
        return Malformed(message.id)


def _values(message: Message) -> dict[str, Any]:
    """Return the fields that are set. Raises one of several errors where a field of bytes is not one JSON value."""
    return {field.name: _value(value) for field, value in message.ListFields()}


def _value(value: Any) -> Any:
    if isinstance(value, str | int):
        return value
    if isinstance(value, Message):
        return _values(value)
    if isinstance(value, bytes):
        value.decode()
        return _any_json.decode(value)
    return {key: _values(entry) for key, entry in value.items()}
