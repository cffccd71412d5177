"""The codec and the frames, on whatever comes."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol

from hub.gateway.frames import data_frame, holds_whole_messages
from hub.protocol import wire
from hub.protocol.codec import Malformed
from hub.protocol.json_codec import JsonCodec
from hub.protocol.session import Limits, Session

JSON = JsonCodec()
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_commands = st.builds(
    wire.Command,
    id=st.integers(0, 2**32 - 1),
    subscribe=st.none() | st.builds(wire.SubscribeRequest, channel=st.text(), offset=st.integers(0, 2**62)),
    unsubscribe=st.none() | st.builds(wire.ChannelRequest, channel=st.text()),
    refresh=st.none() | st.builds(wire.RefreshRequest, token=st.text()),
)


@given(st.lists(_commands, min_size=1, max_size=5))
def test_commands_come_out_as_they_went_in(commands: list[wire.Command]) -> None:
    assert JSON.decode(b"\n".join(map(msgspec.json.encode, commands))) == commands


@given(st.binary() | _json.map(lambda value: json.dumps(value).encode()))
def test_no_frame_breaks_the_decoder_or_the_session(frame: bytes) -> None:
    session: Session[str] = Session("c", Limits())
    for command in JSON.decode(frame):
        assert isinstance(command, wire.Command | Malformed)
        session.receive(command, 0.0)


@given(_json, st.integers(0, 2**62), st.sampled_from([None, 1, 4]))
def test_a_publication_keeps_its_data(data: Any, offset: int, indent: int | None) -> None:
    line = JSON.encode([wire.publication("log:ü", json.dumps(data, indent=indent).encode(), offset)])
    assert b"\n" not in line
    publication = json.loads(line)["push"]["pub"]
    assert (publication["data"], publication.get("offset", 0)) == (data, offset)


@given(st.integers(1, 2**32 - 1), _json)
def test_a_reply_keeps_its_data(number: int, data: Any) -> None:
    reply = wire.Reply(number, rpc=wire.RpcResult(msgspec.Raw(json.dumps(data).encode())))
    assert json.loads(JSON.encode([reply])) == {"id": number, "rpc": {"data": data}}


@given(st.sampled_from([Opcode.TEXT, Opcode.BINARY]), st.binary(max_size=70_000))
def test_a_frame_is_what_the_library_would_write(opcode: Opcode, payload: bytes) -> None:
    assert data_frame(opcode, payload) == Frame(opcode, payload).serialize(mask=False)


_frames = st.builds(
    lambda payload, opcode, fin: Frame(opcode, payload, fin).serialize(mask=True),
    st.binary(max_size=300),
    st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONT]),
    st.booleans(),
)


@given(st.lists(_frames, max_size=4).map(b"".join), st.integers(0, 20))
def test_a_parser_can_be_shared_after_whole_messages(data: bytes, cut: int) -> None:
    data = data[: len(data) - cut]
    if not holds_whole_messages(data):
        return
    parser = Protocol(SERVER)
    parser.receive_data(data)
    parser.events_received()
    if parser.state is OPEN:
        parser.receive_data(Frame(Opcode.TEXT, b"{}").serialize(mask=True))
        (event,) = parser.events_received()
        assert isinstance(event, Frame)
        assert (event.data, event.fin) == (b"{}", True)
