import io

import pytest
from google.protobuf import proto
from msgspec import Raw

from hub.protocol import messages_pb2 as pb
from hub.protocol.codec import Malformed
from hub.protocol.protobuf_codec import ProtobufCodec
from hub.protocol.wire import (
    Command,
    ConnectRequest,
    Done,
    Empty,
    HistoryRequest,
    Push,
    Reply,
    RpcRequest,
    StreamPosition,
    SubscribeRequest,
    UnsubscribePush,
    publication,
)

PROTOBUF = ProtobufCodec()


PING = pb.Command(id=5, ping={})


def in_frame(*commands: pb.Command) -> bytes:
    frame = io.BytesIO()
    for command in commands:
        proto.serialize_length_prefixed(command, frame)
    return frame.getvalue()


def test_a_frame_holds_several_commands_and_pongs() -> None:
    commands = [pb.Command(id=1, connect={"token": "t"}), pb.Command(id=2, rpc={"method": "m", "data": b'{"a":1}'})]
    frame = in_frame(*commands, pb.Command())
    assert PROTOBUF.decode(bytearray(frame)) == [
        Command(id=1, connect=ConnectRequest(token="t")),
        Command(id=2, rpc=RpcRequest("m", Raw(b'{"a":1}'))),
        Command(),
    ]


def test_a_command_without_fields_is_there_all_the_same() -> None:
    assert PROTOBUF.decode(b"\x04\x08\x05\x5a\x00") == [Command(id=5, ping=Empty())]


def test_a_position_that_is_left_out_is_none() -> None:
    commands = pb.Command(id=1, history={"channel": "c"}), pb.Command(id=1, history={"channel": "c", "since": {}})
    without, empty = PROTOBUF.decode(in_frame(*commands))
    assert without == Command(id=1, history=HistoryRequest("c"))
    assert empty == Command(id=1, history=HistoryRequest("c", since=StreamPosition()))


def test_fields_that_are_not_served_are_ignored() -> None:
    # Number 12 of a subscribe request is `delta`, number 3000 of a command does not exist.
    subscribe = b"\x0a\x01c" + b"\x62\x06fossil"
    command = b"\x08\x01" + b"\x2a" + bytes((len(subscribe),)) + subscribe + b"\xc2\xbb\x01\x02hi"
    assert PROTOBUF.decode(bytes((len(command),)) + command) == [Command(id=1, subscribe=SubscribeRequest(channel="c"))]


def test_a_field_of_another_wire_type_is_one_that_is_not_served() -> None:
    # `subscribe` as a number, and `id` as a string: what no definition of these messages has.
    assert PROTOBUF.decode(b"\x04\x08\x01\x28\x07" + b"\x05\x0a\x017\x5a\x00") == [
        Command(id=1),
        Command(id=0, ping=Empty()),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        b"\x05\x08\x05\x5a\x00",  # shorter than it says
        b"\x80",  # the length is cut off
        b"\xff\xff\xff\xff\x0f",  # 4 GiB
        b"\xff" * 11,  # a length that does not end
        b"\x02\x08\x80",  # a number that is cut off
        b"\x03\x5a\x05\x00",  # a field longer than its message
        b"\x01\x0f",  # a wire type that does not exist
        b"\x02\x07\x00",  # field number 0
        b"\x05\x32\x03\x0a\x01\xff",  # a channel that is not UTF-8
    ],
)
def test_bytes_that_are_no_message_spoil_what_follows_only(bad: bytes) -> None:
    before, malformed, *_ = PROTOBUF.decode(b"\x04\x08\x05\x5a\x00" + bad)
    assert before == Command(id=5, ping=Empty())
    assert isinstance(malformed, Malformed)
    assert malformed.id == 0


@pytest.mark.parametrize("data", [b"\x00\x01", b'{"a":', b'{"a":1} 2', b'"\xff"', b"[" * 50_000, b"NaN"])
def test_data_that_is_not_json_spoils_its_command_only(data: bytes) -> None:
    spoilt = pb.Command(id=7, rpc={"method": "m", "data": data})
    malformed, after = PROTOBUF.decode(in_frame(spoilt, PING))
    assert isinstance(malformed, Malformed)
    assert malformed.id == 7
    assert after == Command(id=5, ping=Empty())


def test_a_publication_keeps_its_data_byte_for_byte() -> None:
    data = b'{\n "a": "b\\nc"\n}'
    encoded = PROTOBUF.encode([publication("log:ü", data, 5)])
    reply = pb.Reply.FromString(encoded[1:])
    assert encoded[0] == len(encoded) - 1
    assert (reply.id, reply.push.channel, reply.push.pub.data, reply.push.pub.offset) == (0, "log:ü", data, 5)


@pytest.mark.parametrize("size", [100, 127, 128, 16_000, 16_500, 3_000_000])
def test_a_length_takes_as_many_bytes_as_it_needs(size: int) -> None:
    encoded = PROTOBUF.encode([publication("c", b'"' + b"x" * size + b'"', 1)])
    stream = io.BytesIO(encoded)
    reply = proto.parse_length_prefixed(pb.Reply, stream)
    assert len(reply.push.pub.data) == size + 2
    assert stream.read() == b""


def test_an_empty_result_is_there_all_the_same() -> None:
    assert (
        PROTOBUF.encode([Reply(4, unsubscribe=Done()), Reply(5, ping=Done())])
        == b"\x04\x08\x04\x3a\x00\x04\x08\x05\x62\x00"
    )


def test_an_unsubscribe_push_names_its_channel() -> None:
    encoded = PROTOBUF.encode([Push("log:1", unsubscribe=UnsubscribePush(2500, "insufficient state"))])
    push = pb.Reply.FromString(encoded[1:]).push
    assert (push.channel, push.unsubscribe.code, push.unsubscribe.reason) == ("log:1", 2500, "insufficient state")
