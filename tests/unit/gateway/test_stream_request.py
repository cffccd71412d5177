import json
from urllib.parse import quote

import pytest

from hub.domain.ids import Epoch, Topic
from hub.domain.topics import Position
from hub.gateway.handshake import Handshake, Refused, Request
from hub.gateway.stream_request import PATH, Asked, asks_for_stream, body_length, read_request
from hub.protocol.event_ids import encode

SHOP = "https://shop.example"


def asked(request: Request, body: bytes = b"") -> Asked:
    outcome = read_request(request, body, Handshake((SHOP,)))
    assert isinstance(outcome, Asked), outcome
    return outcome


def get(connect: object = None, **fields: str) -> Request:
    query = "" if connect is None else f"?cf_connect={quote(json.dumps(connect))}"
    return Request("GET", PATH + query, {name.replace("_", "-"): value for name, value in fields.items()})


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        (b"GET /connection/uni_sse HTTP/1.1", True),
        (b"POST /connection/uni_sse?a=b HTTP/1.1", True),
        (b"GET /connection/uni_sse/x HTTP/1.1", False),
        (b"GET /connection/websocket HTTP/1.1", False),
        (b"GET /connection/uni_sse", False),
    ],
)
def test_a_stream_is_asked_for_by_its_path(line: bytes, ours: bool) -> None:
    assert asks_for_stream(line + b"\r\n\r\n") is ours


def test_the_token_of_the_request_goes_before_that_of_the_header() -> None:
    assert asked(get({"token": "a"}, authorization="Bearer b")).connect.token == "a"
    assert asked(get({}, authorization="bearer b")).connect.token == "b"
    assert asked(get({}, authorization="Basic b")).connect.token == ""
    assert asked(Request("POST", PATH, {"authorization": "Bearer b"})).connect.token == "b"


def test_topics_are_asked_for_with_where_to_begin() -> None:
    subs = {"room:1": {"recover": True, "epoch": "e", "offset": 3}, "room:2": {}}
    found = asked(get({"subs": subs, "name": "js", "data": {"x": 1}})).connect.subs
    assert [(name, sub.recover, sub.offset) for name, sub in found.items()] == [
        ("room:1", True, 3),
        ("room:2", False, 0),
    ]


def test_the_last_event_id_says_how_far_the_client_has_come() -> None:
    reached = asked(get({}, last_event_id=encode([(Topic("room:1"), Epoch("e"), 5)]))).reached
    assert reached["room:1"] == Position(Epoch("e"), 5)
    assert len(asked(get({}, last_event_id="")).reached) == 0


def test_only_an_event_source_is_taken_for_one() -> None:
    assert asked(get({}, accept="text/event-stream")).by_browser
    assert not asked(get({}, accept="*/*")).by_browser
    assert not asked(Request("POST", PATH, {"accept": "text/event-stream"})).by_browser


def test_pages_of_allowed_origins_may_read_the_answer() -> None:
    assert f"Access-Control-Allow-Origin: {SHOP}\r\n".encode() in asked(get({}, origin=SHOP)).head
    assert b"Access-Control" not in asked(get({})).head
    preflight = read_request(Request("OPTIONS", PATH, {"origin": SHOP}), b"", Handshake((SHOP,)))
    assert isinstance(preflight, Refused)
    assert f"Access-Control-Allow-Origin: {SHOP}\r\n".encode() in preflight.response
    refused = read_request(get({}, origin="https://evil.example"), b"", Handshake((SHOP,)))
    assert isinstance(refused, Refused)
    assert (refused.status, b"Access-Control" in refused.response) == (403, False)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 0),
        ({"content-length": "7"}, 7),
        ({"content-length": "11"}, 413),
        ({"content-length": "9" * 9_000}, 413),
        ({"content-length": "-1"}, 400),
        ({"content-length": "1, 1"}, 400),
        ({"content-length": "²"}, 400),
        ({"transfer-encoding": "chunked"}, 411),
    ],
)
def test_a_body_has_a_length_within_bounds(fields: dict[str, str], expected: int) -> None:
    length = body_length(Request("POST", PATH, fields), max_bytes=10)
    assert (length.status if isinstance(length, Refused) else length) == expected
