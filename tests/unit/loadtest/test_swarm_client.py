"""The lean client against replies written by hand: what it counts as wrong, and how it comes back."""

import asyncio
import json
from typing import Any

import pytest

from loadtest.swarm import frames
from loadtest.swarm.client import Client
from loadtest.swarm.ledger import Tally
from tests.unit.loadtest.test_frames import unmasked

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


class Wire(asyncio.Transport):
    """Keeps what the client sends."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.aborted = False

    def write(self, data: Any) -> None:
        self.sent.append(bytes(data))

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def commands(self) -> list[dict[str, Any]]:
        return [json.loads(data[data.index(b"{") :]) for data in self.sent[1:]]


class Stage:
    """A client with a wire and a server that says what it is told to say."""

    def __init__(self, *topics: str) -> None:
        self.tally = Tally()
        self.shown: list[tuple[str, int]] = []
        self.client = Client(
            "ann",
            address=("127.0.0.1", 1),
            token=str,
            tally=self.tally,
            on_publication=lambda _, topic, offset, __: self.shown.append((topic, offset)),
            topics=topics,
        )
        self.wire = Wire()
        self.connect()

    def connect(self, answer: bytes = SWITCHED) -> None:
        self.wire = Wire()
        self.client.connection_made(self.wire)
        self.client.data_received(answer)

    def says(self, *messages: dict[str, Any]) -> None:
        text = b"\n".join(json.dumps(message).encode() for message in messages)
        self.client.data_received(unmasked(text))

    def welcomes(self, number: int = 1, **sub: Any) -> None:
        self.says({"id": number, "connect": {"subs": {"inbox:ann": {"epoch": "e", "recoverable": True, **sub}}}})

    def pushes(self, *offsets: int, topic: str = "inbox:ann") -> None:
        self.says(*({"push": {"channel": topic, "pub": {"data": {}, "offset": offset}}} for offset in offsets))


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_publications_in_order_are_shown_and_nothing_is_counted_as_wrong(stage: Stage) -> None:
    stage.welcomes(offset=4)
    stage.pushes(5, 6)
    assert stage.shown == [("inbox:ann", 5), ("inbox:ann", 6)]
    assert (stage.tally.doubles, stage.tally.holes, stage.tally.unrecovered) == (0, 0, 0)


async def test_a_double_and_a_hole_are_counted(stage: Stage) -> None:
    stage.welcomes(offset=4)
    stage.pushes(5, 5, 7)
    assert (stage.tally.doubles, stage.tally.holes) == (1, 1)


async def test_the_newest_value_of_a_latest_topic_may_jump(stage: Stage) -> None:
    stage.welcomes()
    stage.client.subscribe("price:shoe")
    stage.says({"id": 2, "subscribe": {"epoch": "p", "offset": 8, "publications": [{"data": {}, "offset": 8}]}})
    stage.pushes(12, topic="price:shoe")
    assert stage.shown == [("price:shoe", 8), ("price:shoe", 12)]
    assert (stage.tally.doubles, stage.tally.holes) == (0, 0)


async def test_it_comes_back_with_its_positions_and_checks_what_it_missed(stage: Stage) -> None:
    stage.welcomes(offset=4)
    stage.pushes(5)
    stage.connect()
    (connect,) = stage.wire.commands()
    assert connect["connect"]["subs"] == {"inbox:ann": {"recover": True, "epoch": "e", "offset": 5}}
    stage.welcomes(2, offset=6, recovered=True, was_recovering=True, publications=[{"data": {}, "offset": 6}])
    assert stage.shown == [("inbox:ann", 5), ("inbox:ann", 6)]
    assert stage.tally.recovered == 1


async def test_a_start_without_what_was_missed_is_counted(stage: Stage) -> None:
    stage.welcomes(offset=4)
    stage.connect()
    stage.welcomes(2, offset=9, was_recovering=True)
    stage.pushes(10)
    assert (stage.tally.unrecovered, stage.tally.holes) == (1, 0)


async def test_the_answer_to_the_upgrade_may_come_in_pieces(stage: Stage) -> None:
    stage.connect(SWITCHED[:20])
    assert stage.wire.commands() == []
    stage.client.data_received(SWITCHED[20:])
    assert "connect" in stage.wire.commands()[0]


async def test_a_server_that_is_busy_is_no_error(stage: Stage) -> None:
    stage.connect(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n")
    assert stage.wire.aborted
    stage.connect()
    stage.says({"id": 2, "error": {"code": 100, "message": "internal", "temporary": True}})
    assert stage.wire.aborted
    assert (stage.tally.refused, stage.tally.errors) == (2, {})


async def test_a_refusal_for_good_is_an_error(stage: Stage) -> None:
    stage.welcomes()
    stage.client.subscribe("order:B")
    stage.says({"id": 2, "error": {"code": 103, "message": "permission denied"}})
    stage.client.data_received(unmasked((3500).to_bytes(2, "big"), frames.CLOSE))
    assert stage.tally.errors == {"subscribe error 103": 1, "closed with 3500": 1}


async def test_a_ping_is_answered(stage: Stage) -> None:
    stage.welcomes()
    stage.says({})
    assert stage.wire.commands()[-1] == {}
