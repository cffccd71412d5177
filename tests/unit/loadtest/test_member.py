"""A member of the swarm against a server's bytes written by hand."""

import json
import time
from typing import Any

import pytest

from loadtest.swarm import frames, stamp
from loadtest.swarm.member import CONNECTING, Book, Member, Phase
from tests.unit.loadtest.test_frames import unmasked

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
PING = unmasked(b"{}")
INBOX = "inbox:user-3"


def server(*messages: dict[str, Any]) -> bytes:
    return unmasked(b"\n".join(json.dumps(message).encode() for message in messages))


def close(code: int) -> bytes:
    return unmasked(code.to_bytes(2, "big"), frames.CLOSE)


def commands(sent: bytes) -> list[dict[str, Any]]:
    """What a member has sent, without the masks, which are zeros."""
    found = []
    while sent:
        length, body = sent[1] & 0x7F, 6
        if length == 126:
            length, body = int.from_bytes(sent[2:4], "big"), 8
        found.append(json.loads(sent[body : body + length]))
        sent = sent[body + length :]
    return found


def push(offset: int, *, topic: str = INBOX, text: str = "") -> dict[str, Any]:
    return {"push": {"channel": topic, "pub": {"data": {"text": text}, "offset": offset}}}


def welcome(number: int = 1, **sub: Any) -> bytes:
    return server({"id": number, "connect": {"subs": {INBOX: {"epoch": "e", "recoverable": True, **sub}}}})


def member(book: Book | None = None) -> Member:
    found = Member(3, token="t", book=book or Book("127.0.0.1:1", path="/connection/websocket"))
    found.wanted = True
    return found


def live(book: Book | None = None) -> Member:
    found = member(book)
    found.opened(1)
    found.received(SWITCHED, 1)
    found.received(welcome(offset=4), 2)
    return found


def test_it_asks_for_the_upgrade_and_connects_with_its_token() -> None:
    one = member()
    assert one.opened(5).startswith(b"GET /connection/websocket HTTP/1.1\r\n")
    (connect,) = commands(one.received(SWITCHED, 6))
    assert connect["connect"]["token"] == "t"
    assert one.phase is Phase.JOINING


def test_it_is_live_when_connected_and_says_how_long_that_took() -> None:
    one = member(book := Book("h", path="/"))
    one.opened(1_000)
    one.received(SWITCHED, 1_500)
    one.received(welcome(offset=4), 3_000)
    assert one.phase is Phase.LIVE
    assert book.samples[CONNECTING] == [2_000]
    assert book.tally.connects == 1


def test_an_answer_in_pieces_is_put_together() -> None:
    one = member()
    one.opened(1)
    for byte in SWITCHED + welcome(offset=4) + server(push(5)):
        one.received(bytes([byte]), 1)
    assert (one.phase, one.positions[INBOX].offset) == (Phase.LIVE, 5)


def test_latency_is_from_the_stamp_to_the_read() -> None:
    one = live(book := Book("h", path="/"))
    text = stamp.Stamp("orders", 7, 1_000)
    one.received(server(push(5, text=str(text))), 4_000)
    assert book.samples["orders"] == [3_000]


def test_a_frame_that_another_member_has_read_is_not_decoded_again_but_checked_again() -> None:
    book = Book("h", path="/")
    first, second = live(book), live(book)
    frame = server(push(5, text=str(stamp.stamp("sale", 1))))
    first.received(frame, time.monotonic_ns())
    assert frame in book.known
    second.received(frame, time.monotonic_ns())
    second.received(frame, time.monotonic_ns())
    assert (book.tally.received, book.tally.doubles, len(book.samples["sale"])) == (3, 1, 3)


def test_what_all_are_told_is_taken_without_reading_it_only_where_it_is_the_next() -> None:
    book = Book("h", path="/")
    first, second, third, behind = live(book), live(book), live(book), live(book)
    frame = server(push(5, text=str(stamp.Stamp("sale", 1, 1_000))))
    for each in (first, second):
        each.received(frame, 2_000)
    assert book.last == frame
    heard = book.last_heard
    assert heard is not None
    assert third.follows(heard, 4_000)
    assert not third.follows(heard, 4_000), "it has it already"
    behind.positions[INBOX].offset = 3
    assert not behind.follows(heard, 4_000), "there is a hole"
    assert (third.positions[INBOX].offset, behind.positions[INBOX].offset) == (5, 3)
    assert (book.tally.received, book.samples["sale"]) == (3, [1_000, 1_000, 3_000])


def test_nothing_is_taken_for_the_next_in_the_middle_of_a_frame() -> None:
    book = Book("h", path="/")
    for each in (live(book), live(book)):
        each.received(server(push(5, text=str(stamp.Stamp("sale", 1, 1_000)))), 2_000)
    one = live(book)
    one.received(server(push(5))[:-1], 3_000)
    assert book.last_heard is not None
    assert not one.follows(book.last_heard, 4_000)


def test_a_ping_is_answered_also_when_it_is_known() -> None:
    one = live()
    pong = frames.encode(b"{}")
    assert [one.received(PING, 1), one.received(PING, 2)] == [pong, pong]


def test_it_comes_back_with_its_positions_and_counts_what_it_recovers() -> None:
    one = live(book := Book("h", path="/"))
    one.lost()
    one.opened(1)
    (connect,) = commands(one.received(SWITCHED, 1))
    assert connect["connect"]["subs"] == {INBOX: {"recover": True, "epoch": "e", "offset": 4}}
    missed = {"data": {"text": str(stamp.Stamp("sale", 1, 1))}, "offset": 5}
    one.received(welcome(2, offset=5, recovered=True, publications=[missed]), 2)
    assert (one.phase, one.positions[INBOX].offset) == (Phase.LIVE, 5)
    assert (book.tally.recovered, book.tally.mistakes) == (1, {})
    assert list(book.samples) == [CONNECTING, "sale-recovered"]


def test_a_topic_of_its_own_is_subscribed_now_and_after_a_reconnect() -> None:
    one = live()
    (subscribe,) = commands(one.watch("room:1"))
    assert subscribe["subscribe"] == {"channel": "room:1"}
    before = one.phase
    one.received(server({"id": subscribe["id"], "subscribe": {"epoch": "r", "offset": 2}}), 1)
    assert (before, one.phase) == (Phase.JOINING, Phase.LIVE)
    one.lost()
    one.opened(1)
    one.received(SWITCHED, 1)
    (again,) = commands(one.received(welcome(3, offset=4, recovered=True), 2))
    assert again["subscribe"] == {"channel": "room:1", "recover": True, "epoch": "r", "offset": 2}


def test_a_subscription_refused_for_the_moment_is_asked_for_again() -> None:
    one = live(book := Book("h", path="/"))
    one.watch("room:1")
    one.received(server({"id": 2, "error": {"code": 100, "message": "busy", "temporary": True}}), 1)
    assert (book.waiting, one.phase, book.tally.refused) == ([one], Phase.JOINING, 1)
    (again,) = commands(one.ask_again())
    assert again["subscribe"] == {"channel": "room:1"}


def test_a_subscription_refused_for_good_is_an_error_and_does_not_hold_it_up() -> None:
    one = live(book := Book("h", path="/"))
    one.watch("room:1")
    one.received(server({"id": 2, "error": {"code": 103, "message": "permission denied"}}), 1)
    assert (one.phase, book.tally.errors) == (Phase.LIVE, {"subscribe error 103": 1})


@pytest.mark.parametrize(
    ("answer", "refused", "errors"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\n\r\n", 1, {}),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", 0, {"the upgrade was answered with HTTP/1.1 404 Not Found": 1}),
    ],
)
def test_a_refused_upgrade_is_over(answer: bytes, refused: int, errors: dict[str, int]) -> None:
    one = member(book := Book("h", path="/"))
    one.opened(1)
    one.received(answer, 1)
    assert (one.phase, book.tally.refused, book.tally.errors) == (Phase.OVER, refused, errors)


@pytest.mark.parametrize(("code", "wanted"), [(3001, True), (3500, False), (4000, True), (4501, False)])
def test_a_close_code_says_whether_to_come_back(code: int, *, wanted: bool) -> None:
    one = live(book := Book("h", path="/"))
    one.received(close(code), 1)
    one.lost()
    assert (one.wanted, book.closes) == (wanted, {str(code): 1})


def test_a_connection_that_just_ends_is_counted_as_such() -> None:
    one = live(book := Book("h", path="/"))
    one.lost()
    assert book.closes == {"1006": 1}


def test_an_attempt_that_nobody_answers_is_no_lost_connection() -> None:
    one = member(book := Book("h", path="/"))
    one.opened(1)
    one.lost()
    one.opened(2)
    one.received(SWITCHED, 3)
    one.lost(given_up=True)
    assert (book.closes, book.tally.unmet) == ({}, 2)


def test_one_who_leaves_says_goodbye_and_is_not_counted_as_lost() -> None:
    one = live(book := Book("h", path="/"))
    assert one.leave()[0] == 0x80 | frames.CLOSE
    one.received(close(1000), 1)
    one.lost()
    assert (one.wanted, book.closes) == (False, {})


def test_it_publishes_only_while_it_is_live() -> None:
    one = live()
    (publish,) = commands(one.publish("room:1", '{"text":"hi"}'))
    assert publish["publish"] == {"channel": "room:1", "data": {"text": "hi"}}
    one.lost()
    assert one.publish("room:1", "{}") == b""
