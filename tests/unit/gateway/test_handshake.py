import pytest

from hub.gateway.handshake import BadHead, Handshake, asks_for_websocket, parse_head, request_of

_HEAD = (
    b"GET /connection/websocket?x=1 HTTP/1.1\r\nHost: shop.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n"
)


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


@pytest.mark.parametrize("head", [b"\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"])
def test_what_is_no_request_is_refused(head: bytes) -> None:
    with pytest.raises(BadHead):
        parse_head(head)


def test_json_is_selected_and_protobuf_is_not() -> None:
    offer = b"Sec-WebSocket-Protocol: centrifuge-protobuf, centrifuge-json\r\n"
    assert Handshake(()).answer(parse_head(_HEAD % offer)).headers["Sec-WebSocket-Protocol"] == "centrifuge-json"
    only = b"Sec-WebSocket-Protocol: centrifuge-protobuf\r\n"
    assert "Sec-WebSocket-Protocol" not in Handshake(()).answer(parse_head(_HEAD % only)).headers


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (b"https://shop.example", 101),
        (b"http://shop.example", 101),
        (b"HTTPS://SHOP.example", 101),
        (b"https://shop.example:443", 101),
        (b"https://shop.example:8443", 403),
        (b"https://shop.example.evil.example", 403),
        (b"https://evil.example/shop.example", 403),
        (b"https://shop.example@evil.example", 403),
        (b"null", 403),
        (b"", 403),
        (b"https://[", 403),
    ],
)
def test_pages_of_other_hosts_are_kept_out(origin: bytes, status: int) -> None:
    request = parse_head(_HEAD % (b"Origin: " + origin + b"\r\n"))
    assert Handshake(()).answer(request).status_code == status


def test_without_an_origin_it_is_no_browser() -> None:
    assert Handshake(("https://app.example",)).answer(parse_head(_HEAD % b"")).status_code == 101


def test_a_request_of_another_server_is_the_same() -> None:
    parsed = parse_head(_HEAD % b"")
    headers = [(name.encode(), value.encode()) for name, value in parsed.headers.raw_items()]
    assert Handshake(()).answer(request_of("GET", "/connection/websocket", headers)).status_code == 101
