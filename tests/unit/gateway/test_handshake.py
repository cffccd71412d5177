import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.http11 import Request as LibraryRequest
from websockets.server import ServerProtocol
from websockets.streams import StreamReader

from hub.gateway.formats import JSON, PROTOBUF, WebSocketFormat
from hub.gateway.handshake import Accepted, BadHead, Handshake, Refused, asks_for_websocket, parse_head, request_of


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"GET /connection/websocket HTTP/1.1", True),
        (b"GET /connection/websocket?format=json HTTP/1.1", True),
        (b"POST /connection/websocket HTTP/1.1", True),
        (b"GET /connection/websockets HTTP/1.1", False),
        (b"GET / HTTP/1.1", False),
        (b"/connection/websocket", False),
        (b"", False),
    ],
)
def test_the_path_decides(line: bytes, expected: bool) -> None:
    assert asks_for_websocket(line + b"\r\n\r\n") is expected


def status(head: bytes, *origins: str) -> int:
    answer = Handshake(origins).answer(parse_head(head))
    return answer.status if isinstance(answer, Refused) else 101


def head(**changes: bytes | None) -> bytes:
    """A good head with some of its fields changed, or left out where None."""
    fields = {
        "Host": b"shop.example",
        "Upgrade": b"websocket",
        "Connection": b"Upgrade",
        "Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": b"13",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [name.encode() + b": " + value for name, value in fields.items() if value is not None]
    return b"\r\n".join((b"GET /connection/websocket HTTP/1.1", *lines, b"", b""))


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"G\xc4T / HTTP/1.1\r\n\r\n",
        b"GET /\xc3\xbc HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX : y\r\n\r\n",
        b"GET / HTTP/1.1\r\n: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\nY: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\rY: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: \x7f\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 129 + b"\r\n",
    ],
)
def test_what_is_no_request_is_refused(head: bytes) -> None:
    with pytest.raises(BadHead):
        parse_head(head)


def test_fields_are_known_by_their_names_in_lower_case_and_joined() -> None:
    request = parse_head(b"PUT /a?b=c HTTP/1.1\r\nX-One:1\r\nx-two: \t 2 2 \t\r\nX-ONE: \xfc\r\nEmpty:\r\n\r\n")
    assert request == ("PUT", "/a?b=c", {"x-one": "1, ü", "x-two": "2 2", "empty": ""})


_FIELDS = st.tuples(st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True), st.text(" \tA~é:,", max_size=9))


def library_request(raw: bytes) -> LibraryRequest:
    """What the `websockets` library makes of a head."""
    reader = StreamReader()
    reader.feed_data(raw)
    reader.feed_eof()
    with pytest.raises(StopIteration) as done:
        next(LibraryRequest.parse(reader.read_line))
    request: LibraryRequest = done.value.value
    return request


@given(st.lists(_FIELDS))
def test_a_head_is_read_as_the_library_reads_it(fields: list[tuple[str, str]]) -> None:
    special = {"transfer-encoding", "content-length", "expect"}
    lines = [f"{name}: {value}\r\n" for name, value in fields if name.lower() not in special]
    raw = f"GET /x HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1")
    expected: dict[str, list[str]] = {}
    for name, value in library_request(raw).headers.raw_items():
        expected.setdefault(name.lower(), []).append(value)
    assert parse_head(raw).fields == {name: ", ".join(values) for name, values in expected.items()}


def test_the_answer_is_the_librarys() -> None:
    """Its date aside: RFC 9110, section 6.6.1, wants none in a 1xx response."""
    expected = ServerProtocol().accept(library_request(head()))
    del expected.headers["Date"]
    answer = Handshake(()).answer(parse_head(head()))
    assert answer.response == expected.serialize()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Upgrade": b"WebSocket", "Connection": b"keep-alive, upgrade"}, 101),
        ({"Upgrade": b"h2c, websocket"}, 101),
        ({"Content_Length": b"0"}, 101),
        ({"Host": b"[::1]:8080"}, 101),
        ({"Upgrade": None}, 426),
        ({"Upgrade": b"websockets"}, 426),
        ({"Connection": None}, 426),
        ({"Connection": b"close"}, 426),
        ({"Sec_WebSocket_Version": None}, 426),
        ({"Sec-WebSocket-Version": b"12"}, 426),
        ({"Sec-WebSocket-Version": b"013"}, 426),
        ({"sec-websocket-version": b"13"}, 426),
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Sec-WebSocket-Key": b""}, 400),
        ({"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZQ"}, 400),
        ({"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZS4u"}, 400),
        ({"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25j\xe9Q=="}, 400),
        ({"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ=="}, 400),
        ({"Host": None}, 400),
        ({"Host": b""}, 400),
        ({"Host": b"shop.example/x"}, 400),
        ({"host": b"shop.example"}, 400),
        ({"Content_Length": b"5"}, 400),
        ({"Transfer_Encoding": b"chunked"}, 400),
    ],
)
def test_every_field_of_a_handshake_is_checked(changes: dict[str, bytes | None], expected: int) -> None:
    names = {name.replace("_", "-"): value for name, value in changes.items()}
    assert status(head(**names)) == expected


def test_only_get_makes_a_handshake() -> None:
    assert status(head().replace(b"GET", b"POST")) == 405


def test_who_speaks_another_version_is_told_ours() -> None:
    answer = Handshake(()).answer(parse_head(head(**{"Sec-WebSocket-Version": b"8"})))
    assert b"\r\nSec-WebSocket-Version: 13\r\n" in answer.response


@pytest.mark.parametrize(
    ("target", "offer", "selected", "spoken"),
    [
        (b"", None, None, JSON),
        (b"", b"centrifuge-json", b"centrifuge-json", JSON),
        (b"", b"centrifuge-protobuf", b"centrifuge-protobuf", PROTOBUF),
        (b"", b"Centrifuge-Protobuf", b"centrifuge-protobuf", PROTOBUF),
        (b"", b"centrifuge-protobuf, centrifuge-json", b"centrifuge-json", JSON),
        (b"", b"mqtt, centrifuge-protobuf", b"centrifuge-protobuf", PROTOBUF),
        (b"", b"mqtt", None, JSON),
        (b"?format=protobuf", None, None, PROTOBUF),
        (b"?a=b&format=protobuf", b"centrifuge-protobuf", b"centrifuge-protobuf", PROTOBUF),
        (b"?format=json", b"centrifuge-protobuf", b"centrifuge-protobuf", PROTOBUF),
        (b"?format=protobufs&=&%", None, None, JSON),
    ],
)
def test_the_subprotocol_or_the_target_names_the_format(
    target: bytes, offer: bytes | None, selected: bytes | None, spoken: WebSocketFormat
) -> None:
    sent = head(Sec_WebSocket_Protocol=offer)
    answer = Handshake(()).answer(parse_head(sent.replace(b" HTTP", target + b" HTTP", 1)))
    assert isinstance(answer, Accepted)
    assert answer.format is spoken
    lines = [line for line in answer.response.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Protocol")]
    assert lines == ([b"Sec-WebSocket-Protocol: " + selected] if selected else [])


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (b"https://shop.example", 101),
        (b"http://shop.example", 101),
        (b"HTTPS://SHOP.example", 101),
        (b"https://shop.example:443", 101),
        (b"https://shop.example:8443", 403),
        (b"https://shop.example.evil.example", 403),
        (b"https://evil.example/shop.example", 403),
        (b"https://shop.example@evil.example", 403),
        (b"https://shop.example, https://shop.example", 403),
        (b"null", 403),
        (b"", 403),
        (b"https://[", 403),
    ],
)
def test_pages_of_other_hosts_are_kept_out(origin: bytes, expected: int) -> None:
    assert status(head(Origin=origin)) == expected


def test_without_an_origin_it_is_no_browser() -> None:
    assert status(head(), "https://app.example") == 101


def test_a_request_of_another_server_is_the_same() -> None:
    parsed = parse_head(head())
    raw = [(name.encode(), value.encode()) for name, value in parsed.fields.items()]
    assert request_of("GET", "/connection/websocket", raw) == parsed
