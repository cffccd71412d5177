"""The wire formats as clients speak them, in values shaped like the JSON one's.

Protobuf is spoken with the definitions that the official Python SDK comes with, so that nobody here has to agree with
the hub's own about field numbers.
"""

import io
import json
from collections.abc import Sequence
from typing import Any, Protocol

import pytest
from centrifuge.protocol import client_pb2
from google.protobuf import proto
from google.protobuf.message import Message

in_both_dialects = pytest.mark.parametrize("dialect", ["json", "protobuf"], indirect=True)


class Dialect(Protocol):
    subprotocol: str

    def encode(self, commands: Sequence[Any]) -> str | bytes: ...

    def decode(self, frame: str | bytes) -> list[Any]: ...


class JsonLines:
    subprotocol = "centrifuge-json"

    def encode(self, commands: Sequence[Any]) -> str:
        return "\n".join(json.dumps(command) for command in commands)

    def decode(self, frame: str | bytes) -> list[Any]:
        assert isinstance(frame, str)
        return [json.loads(line) for line in frame.split("\n")]


class Protobuf:
    subprotocol = "centrifuge-protobuf"

    def encode(self, commands: Sequence[Any]) -> bytes:
        frame = io.BytesIO()
        for command in commands:
            proto.serialize_length_prefixed(client_pb2.Command(**_packed(command)), frame)
        return frame.getvalue()

    def decode(self, frame: str | bytes) -> list[Any]:
        assert isinstance(frame, bytes)
        stream, replies = io.BytesIO(frame), []
        while stream.tell() < len(frame):
            replies.append(_plain(proto.parse_length_prefixed(client_pb2.Reply, stream)))
        return replies


JSON = JsonLines()
PROTOBUF = Protobuf()
DIALECTS: dict[str, Dialect] = {"json": JSON, "protobuf": PROTOBUF}


def _packed(command: dict[str, Any]) -> dict[str, Any]:
    """Return a command with its data as bytes."""
    packed: dict[str, Any] = {}
    for name, value in command.items():
        if name == "data":
            packed[name] = json.dumps(value).encode()
        else:
            packed[name] = _packed(value) if isinstance(value, dict) else value
    return packed


def _plain(message: Message) -> dict[str, Any]:
    """Return the fields that are set, as they would be in JSON."""
    return {field.name: _plain_value(value) for field, value in message.ListFields()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return json.loads(value)
    if isinstance(value, Message):
        return _plain(value)
    if isinstance(value, str | int):
        return value
    if hasattr(value, "items"):
        return {key: _plain_value(entry) for key, entry in value.items()}
    return [_plain_value(entry) for entry in value]
