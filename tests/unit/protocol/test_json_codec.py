import json

import pytest

from hub.protocol.codec import Malformed
from hub.protocol.json_codec import JsonCodec
from hub.protocol.wire import (
    Command,
    ConnectRequest,
    Done,
    Error,
    Push,
    Reply,
    SubscribeRequest,
    UnsubscribePush,
    publication,
)

JSON = JsonCodec()


def test_a_frame_holds_several_commands() -> None:
    frame = b'{"id":1,"connect":{"token":"t"}}\n{"id":2,"subscribe":{"channel":"c","recover":true,"offset":3}}\n{}'
    assert JSON.decode(frame) == [
        Command(id=1, connect=ConnectRequest(token="t")),
        Command(id=2, subscribe=SubscribeRequest(channel="c", recover=True, offset=3)),
        Command(),
    ]


def test_fields_that_are_not_served_are_ignored() -> None:
    (command,) = JSON.decode(b'{"id":1,"subscribe":{"channel":"c","delta":"fossil","tf":{"op":"and"}},"new":[1]}')
    assert command == Command(id=1, subscribe=SubscribeRequest(channel="c"))


@pytest.mark.parametrize(
    ("line", "command_id"),
    [
        (b'{"id":7,"subscribe":{"channel":5}}', 7),
        (b'{"subscribe":{"channel":5},"id":7}', 0),
        (b'{"id":"7"}', 0),
        (b"nonsense", 0),
        (b"[1]", 0),
        (b"[" * 50_000, 0),
        (b'{"id":1,', 0),
        (b"\xff", 0),
    ],
)
def test_a_line_that_is_no_command_spoils_only_itself(line: bytes, command_id: int) -> None:
    before, malformed, after = JSON.decode(b'{"id":1}\n' + line + b'\n{"id":2}')
    assert (before, after) == (Command(id=1), Command(id=2))
    assert isinstance(malformed, Malformed)
    assert malformed.id == command_id


def test_a_publication_is_one_line_whatever_its_data_looks_like() -> None:
    line = JSON.encode([publication("log:ü", b'{\n "a": "b\\nc"\n}', 5)])
    assert b"\n" not in line
    assert json.loads(line) == {"push": {"channel": "log:ü", "pub": {"data": {"a": "b\nc"}, "offset": 5}}}


def test_a_publication_without_history_has_no_offset() -> None:
    assert json.loads(JSON.encode([publication("t", b"1", 0)]))["push"]["pub"] == {"data": 1}


def test_an_error_says_whether_it_passes() -> None:
    lasting, passing = Error(103, "permission denied"), Error(109, "token expired", temporary=True)
    assert json.loads(JSON.encode([Reply(3, error=lasting)])) == {
        "id": 3,
        "error": {"code": 103, "message": "permission denied"},
    }
    assert json.loads(JSON.encode([Reply(3, error=passing)]))["error"]["temporary"] is True


def test_an_empty_result_is_an_object() -> None:
    assert JSON.encode([Reply(4, unsubscribe=Done())]) == b'{"id":4,"unsubscribe":{}}'


def test_an_unsubscribe_push_names_its_channel() -> None:
    push = Push("log:1", unsubscribe=UnsubscribePush(2500, "insufficient state"))
    assert json.loads(JSON.encode([push])) == {
        "push": {"channel": "log:1", "unsubscribe": {"code": 2500, "reason": "insufficient state"}}
    }


def test_the_messages_of_a_frame_are_lines() -> None:
    replies = [Reply(4, unsubscribe=Done()), Reply(5, ping=Done())]
    assert JSON.encode(replies) == b'{"id":4,"unsubscribe":{}}\n{"id":5,"ping":{}}'
