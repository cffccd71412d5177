import json
from collections.abc import Sequence

import pytest

from hub.domain.topics import TopicKind
from hub.gateway.fanout import FanOut
from hub.gateway.subscriptions import LiveTopic
from hub.protocol.wire import Message
from tests.unit.gateway.stream import Client, Stage


def test_everybody_gets_the_same_bytes() -> None:
    stage, written = Stage(), []

    class Noting(Client):
        def write(self, frame: bytes) -> None:
            written.append(frame)

    for _ in range(3):
        stage.join(Noting())
    stage.publish(b"1")
    assert len({id(frame) for frame in written}) == 1
    assert len(written) == 3


class Noted:
    """A format that notes what it is asked to encode."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.encoded: list[Message] = []

    def frame(self, messages: Sequence[Message]) -> bytes:
        self.encoded += messages
        return self.name


class Reader(Client):
    """Notes the frames themselves."""

    def write(self, frame: bytes) -> None:
        self.data.append(frame)


@pytest.mark.parametrize("count", [2, 150])
def test_a_publication_is_encoded_once_in_each_format_that_is_spoken(count: int) -> None:
    stage, formats, unspoken = Stage(), [Noted(b"a"), Noted(b"b")], Noted(b"c")
    readers = [Reader(format=formats[number % 2]) for number in range(count)]
    for reader in readers:
        stage.join(reader)
    stage.publish(b"1")
    stage.run_slices()
    assert [reader.data for reader in readers] == [[b"a"], [b"b"]] * (count // 2)
    assert [len(wanted.encoded) for wanted in (*formats, unspoken)] == [1, 1, 0]


async def test_what_was_missed_is_read_in_the_format_that_is_spoken() -> None:
    stage, formats = Stage(), [Noted(b"a"), Noted(b"b")]
    for _ in range(3):
        stage.publish(b"1")
    readers = [Reader(format=wanted) for wanted in (*formats, *formats)]
    for reader in readers:
        stage.join(reader, offset=1)
    await stage.catch_up()
    assert [reader.data for reader in readers] == [[b"a"] * 2, [b"b"] * 2] * 2
    assert [len(wanted.encoded) for wanted in formats] == [2, 2]


def test_a_few_are_written_at_once_and_many_in_slices() -> None:
    stage = Stage()
    clients = [Client() for _ in range(250)]
    for client in clients:
        stage.join(client)
    stage.publish()
    assert sum(len(client.offsets) for client in clients) == 0
    stage.run_slices(1)
    assert sum(len(client.offsets) for client in clients) == 100
    stage.run_slices()
    assert all(client.offsets == [1] for client in clients)


def test_a_topic_waits_for_a_slice_of_another_only() -> None:
    crowd, few = Stage(), Stage()
    few.fan_out = crowd.fan_out
    clients = [Client() for _ in range(500)]
    for client in clients:
        crowd.join(client)
    one = Client()
    few.join(one)
    crowd.publish()
    crowd.run_slices(1)
    few.publish()
    assert one.offsets == [1]
    assert clients[-1].offsets == []


def test_two_crowds_take_turns() -> None:
    first, second = Stage(), Stage()
    second.fan_out = first.fan_out
    crowds = [[Client() for _ in range(300)] for _ in range(2)]
    for stage, clients in zip((first, second), crowds, strict=True):
        for client in clients:
            stage.join(client)
        stage.publish()
    first.run_slices(2)
    assert [sum(len(client.offsets) for client in clients) for clients in crowds] == [100, 100]


def test_who_leaves_in_the_middle_of_a_broadcast_gets_nothing_more() -> None:
    stage = Stage()
    clients = [Client() for _ in range(250)]
    seats = [stage.join(client) for client in clients]
    stage.publish()
    stage.run_slices(1)
    for seat in seats[50:150]:
        stage.topic.remove(seat)
    stage.run_slices()
    assert all(client.offsets == [1] for client in (*clients[:100], *clients[150:]))
    assert all(client.offsets == [] for client in clients[100:150])


def test_who_joins_in_the_middle_of_a_broadcast_starts_after_it() -> None:
    stage = Stage()
    for _ in range(250):
        stage.join(Client())
    stage.publish()
    stage.run_slices(1)
    late = Client()
    stage.join(late)
    stage.run_slices()
    stage.publish()
    stage.run_slices()
    assert late.offsets == [2]


async def test_a_backlog_that_grows_too_long_is_read_from_the_stream_instead() -> None:
    stage = Stage()
    clients = [Client() for _ in range(120)]
    for client in clients:
        stage.join(client)
    for _ in range(200):
        stage.publish()
    stage.run_slices()
    await stage.catch_up()
    assert all(client.offsets == list(range(1, 201)) for client in clients)


def test_of_a_latest_topic_only_the_newest_waits() -> None:
    stage = Stage(TopicKind.LATEST)
    clients = [Client() for _ in range(120)]
    for client in clients:
        stage.join(client)
    for _ in range(50):
        stage.publish()
    stage.run_slices()
    assert all(client.offsets == [50] for client in clients)


def test_a_topic_without_history_goes_to_whoever_can_take_it() -> None:
    stage = Stage(history=0)
    ready, full = Client(), Client(paused=True)
    stage.join(ready)
    stage.join(full)
    stage.fan_out.receive(stage.topic, b':0:0:"x"')
    assert (ready.data, full.data) == (["x"], [])


def test_a_malformed_message_is_dropped() -> None:
    stage, client = Stage(), Client()
    stage.join(client)
    for message in (b"", b"e:1:0", b"e:x:0:1", b"\xff:1:0:1"):
        stage.fan_out.receive(stage.topic, message)
    assert client.offsets == []


def test_without_subscribers_only_the_head_moves() -> None:
    stage = Stage()
    stage.publish()
    assert stage.topic.head == 1
    assert isinstance(stage.fan_out, FanOut)
    assert isinstance(stage.topic, LiveTopic)


# Joins and leaves


def test_joins_and_leaves_go_to_every_subscriber_where_that_is_forced() -> None:
    stage, client = Stage(join_leave=True, force_push_join_leave=True), Client()
    stage.join(client)
    stage.fan_out.receive(stage.topic, b'*+{"client":"c2"}')
    stage.fan_out.receive(stage.topic, b'*-{"client":"c2"}')
    assert client.attendance == [("join", "c2"), ("leave", "c2")]
    assert stage.topic.head == 0


def test_joins_go_to_those_who_have_asked_and_are_still_there() -> None:
    stage = Stage(join_leave=True)
    asked, left, other = Client(), Client(), Client()
    for client in (asked, left, other):
        seat = stage.join(client)
        if client is not other:
            stage.topic.listen(seat)
        if client is left:
            stage.topic.remove(seat)
    stage.fan_out.receive(stage.topic, b'*+{"client":"c2"}')
    assert [client.attendance for client in (asked, left, other)] == [[("join", "c2")], [], []]


async def test_a_rush_of_joins_costs_nobody_a_publication() -> None:
    stage = Stage(force_push_join_leave=True)
    clients = [Client() for _ in range(150)]
    for client in clients:
        stage.join(client)
    stage.publish(b"1")
    stage.publish(b"2")
    for n in range(100):
        stage.fan_out.receive(stage.topic, b'*+{"client":"c%d"}' % n)
    stage.run_slices()
    await stage.catch_up()
    assert all(client.offsets == [1, 2] for client in clients)
    assert all(len(client.attendance) == 62 for client in clients)


def test_a_full_socket_is_not_told_who_comes() -> None:
    stage, client = Stage(force_push_join_leave=True), Client(paused=True)
    stage.join(client)
    stage.fan_out.receive(stage.topic, b'*+{"client":"c2"}')
    assert client.attendance == []


@pytest.mark.parametrize("kind", list(TopicKind))
def test_a_crowd_is_told_in_slices_between_publications(kind: TopicKind) -> None:
    stage = Stage(kind, force_push_join_leave=True)
    clients = [Client() for _ in range(150)]
    for client in clients:
        stage.join(client)
    stage.publish(b"1")
    stage.fan_out.receive(stage.topic, b'*+{"client":"c2"}')
    stage.publish(b"2")
    stage.run_slices()
    assert all(client.attendance == [("join", "c2")] for client in clients)
    assert all(client.offsets == [1, 2] for client in clients)


@pytest.mark.parametrize("message", [b"*", b"*+", b"*+{", b"*+[]", b'*+{"client":1}', b'*+{"client":"\xff"}'])
def test_a_malformed_join_is_dropped(message: bytes) -> None:
    stage, client = Stage(force_push_join_leave=True), Client()
    stage.join(client)
    stage.fan_out.receive(stage.topic, message)
    assert client.attendance == []


# Publications of clients


def test_a_publication_says_which_client_it_is_of() -> None:
    stage, written = Stage(), []

    class Noting(Client):
        def write(self, frame: bytes) -> None:
            written.append(json.loads(frame[frame.index(b"{") :]))

    stage.join(Noting())
    info = b'{"user":"ann","client":"c9","conn_info":{"a":":+"}}'
    stage.fan_out.receive(stage.topic, b"e1:1:7+%d:%s[1]" % (len(info), info))
    assert written == [{"push": {"channel": "log:1", "pub": {"data": [1], "offset": 1, "info": json.loads(info)}}}]


@pytest.mark.parametrize("message", [b"e1:1:7+x:{}1", b"e1:1:7+2:[]1", b"e1:1:+2:{}1", b"e1:1:7+:{}1"])
def test_a_malformed_publication_of_a_client_is_dropped(message: bytes) -> None:
    stage, client = Stage(), Client()
    stage.join(client)
    stage.fan_out.receive(stage.topic, message)
    assert client.offsets == []
