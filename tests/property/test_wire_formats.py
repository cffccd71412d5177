"""The protobuf format says what the values say, whatever they are; and nothing that comes breaks it."""

import io
import json
import types
from collections.abc import Sequence
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from google.protobuf import proto
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from hub.protocol import messages_pb2 as pb
from hub.protocol import wire
from hub.protocol.codec import Malformed
from hub.protocol.json_codec import JsonCodec
from hub.protocol.protobuf_codec import ProtobufCodec
from hub.protocol.session import Limits, Session

JSON, PROTOBUF = JsonCodec(), ProtobufCodec()

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
_plain: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=300),
    bool: st.booleans(),
    int: st.integers(0, 2**31 - 1),
    Raw: _json.map(lambda value: Raw(json.dumps(value).encode())),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type that fields of wire messages have, with every part of it."""
    arguments = get_args(kind)
    if get_origin(kind) is types.UnionType:
        return st.one_of(*[st.none() if argument is types.NoneType else values(argument) for argument in arguments])
    if get_origin(kind) is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if get_origin(kind) is dict:
        return st.dictionaries(st.text(), values(arguments[1]), max_size=3)
    if kind in _plain:
        return _plain[kind]
    return st.builds(kind, **{name: values(each) for name, each in get_type_hints(kind).items()})


_commands = st.lists(values(wire.Command), min_size=1, max_size=3)


def packed(commands: Sequence[wire.Command]) -> bytes:
    """A frame as the protobuf runtime writes it."""
    frame = io.BytesIO()
    for command in commands:
        fields = msgspec.to_builtins(command, builtin_types=(bytes,), enc_hook=bytes)
        proto.serialize_length_prefixed(pb.Command(**fields), frame)
    return frame.getvalue()


def unpacked(frame: bytes) -> list[pb.Reply]:
    stream = io.BytesIO(frame)
    replies: list[pb.Reply] = []
    while stream.tell() < len(frame):
        replies.append(proto.parse_length_prefixed(pb.Reply, stream))
    return replies


def read(message: Message, kind: Any) -> Any:
    """The value of this type that a message stands for, field by field."""
    return kind(**{name: _field(message, name, each) for name, each in get_type_hints(kind).items()})


def _field(message: Message, name: str, kind: Any) -> Any:
    arguments = get_args(kind)
    if get_origin(kind) is types.UnionType:
        (kind,) = (argument for argument in arguments if argument is not types.NoneType)
        if kind is Raw:
            return Raw(getattr(message, name)) if getattr(message, name) else None
        return read(getattr(message, name), kind) if message.HasField(name) else None
    found = getattr(message, name)
    if get_origin(kind) is tuple:
        return tuple(read(each, arguments[0]) for each in found)
    if get_origin(kind) is dict:
        return {key: read(each, arguments[1]) for key, each in found.items()}
    if kind is Raw:
        return Raw(found)
    return read(found, kind) if isinstance(found, Message) else found


@given(_commands)
def test_commands_come_out_as_they_went_in(commands: list[wire.Command]) -> None:
    assert PROTOBUF.decode(packed(commands)) == commands


@given(_commands)
def test_a_command_means_the_same_in_both_formats(commands: list[wire.Command]) -> None:
    lines = b"\n".join(map(msgspec.json.encode, commands))
    assert PROTOBUF.decode(packed(commands)) == JSON.decode(lines)


@given(st.lists(values(wire.Reply), min_size=1, max_size=3))
def test_a_reply_says_all_it_has_to_say(replies: list[wire.Reply]) -> None:
    assert [read(reply, wire.Reply) for reply in unpacked(PROTOBUF.encode(replies))] == replies


_pushes = st.one_of(
    *[
        st.builds(wire.Push, channel=st.text(), **{name: values(kind).filter(bool)})
        for name, kind in get_type_hints(wire.Push).items()
        if name != "channel"
    ]
)


@given(_pushes)
def test_a_push_says_all_it_has_to_say(push: wire.Push) -> None:
    (reply,) = unpacked(PROTOBUF.encode([push]))
    assert reply.id == 0
    assert read(reply.push, wire.Push) == push


_spoilt = st.builds(
    lambda frame, at, inserted: frame[: at % len(frame)] + inserted + frame[at % len(frame) :],
    _commands.map(packed),
    st.integers(0, 2**16),
    st.binary(max_size=2),
)


@given(st.binary() | _spoilt)
def test_no_frame_breaks_the_decoder_or_the_session(frame: bytes) -> None:
    session: Session[str] = Session("c", Limits())
    for command in PROTOBUF.decode(frame):
        assert isinstance(command, wire.Command | Malformed)
        session.receive(command, 0.0)
