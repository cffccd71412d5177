"""What must not hurt anybody but the one who does it."""

import asyncio

import pytest

from tests.integration.gateway.peer import BROKEN, CONNECT, HEAD, frame, peer
from tests.integration.gateway.stage import Running, Start


@pytest.mark.parametrize(("sent", "code"), BROKEN)
async def test_a_broken_rule_closes_with_its_code(worker: Running, sent: bytes, code: int) -> None:
    async with worker.user("bob") as neighbour, peer(worker) as client:
        client.send(sent)
        assert await client.close_code() == code
        assert await neighbour.call(ping={}) == {}


async def test_a_message_may_come_in_pieces_of_every_size(worker: Running) -> None:
    async with peer(worker) as client:
        for byte in frame(CONNECT[:10], first=0x01) + frame(b"", first=0x00) + frame(CONNECT[10:], first=0x80):
            client.send(bytes((byte,)))
            await asyncio.sleep(0)
        assert b'"connect"' in (await client.frame())[1]
        client.send(frame(b'{"id":2,"ping":{}}') + frame(b"yo", first=0x89) + frame(b'{"id":3,"ping":{}}'))
        answers = {await client.frame() for _ in range(3)}
        assert (10, b"yo") in answers


async def test_too_many_fragments_are_too_big(worker: Running) -> None:
    async with peer(worker) as client:
        client.send(frame(b"x" * 60_000, first=0x01) + frame(b"x" * 60_000, first=0x00))
        assert await client.close_code() == 1009


async def test_too_many_commands_close_the_connection(start: Start) -> None:
    worker = await start(max_commands_per_second=10, max_subscriptions=10)
    async with worker.user("ann") as client:
        await client.send(*({"id": n, "ping": {}} for n in range(1, 60)))
        assert await client.closed() == (3013, "too many requests")


@pytest.mark.parametrize(
    "flood",
    [
        frame(b"", first=0x89) * 60,
        frame(b"", first=0x8A) * 60,
        frame(b"", first=0x01) + frame(b"", first=0x00) * 60,
    ],
    ids=["pings", "pongs", "empty fragments"],
)
async def test_a_flood_of_small_frames_closes_the_connection(start: Start, flood: bytes) -> None:
    worker = await start(max_commands_per_second=10, max_subscriptions=10)
    async with worker.user("bob") as neighbour, peer(worker) as client:
        client.send(frame(CONNECT))
        await client.frame()
        client.send(flood)
        assert await client.close_code() == 3013
        assert await neighbour.call(ping={}) == {}


async def test_pings_and_commands_are_answered_in_order(worker: Running) -> None:
    async with peer(worker) as client:
        client.send(frame(CONNECT))
        await client.frame()
        client.send(frame(b"1st", first=0x89) + frame(b'{"id":2,"ping":{}}') + frame(b"2nd", first=0x89))
        assert [await client.frame() for _ in range(3)] == [(10, b"1st"), (1, b'{"id":2,"ping":{}}'), (10, b"2nd")]


async def test_too_many_calls_at_once_are_refused(worker: Running) -> None:
    async with worker.user("ann") as client:
        await client.send(*({"id": n, "rpc": {"method": "echo", "data": n}} for n in range(1, 60)))
        answers = [await client.next() for _ in range(59)]
        assert sum(answer.get("error", {}).get("code") == 111 for answer in answers) == 59 - 32


async def test_a_client_that_never_connects_is_stale(start: Start) -> None:
    worker = await start(connect_timeout_s=0.3)
    async with peer(worker) as client:
        assert await client.close_code() == 3502


@pytest.mark.parametrize("sent", [b"", b"GET /connec", HEAD])
async def test_a_half_sent_head_is_given_up(start: Start, sent: bytes) -> None:
    worker = await start(handshake_timeout_s=0.3)
    async with peer(worker, upgraded=False) as client:
        client.send(sent)
        assert (await client.everything()).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /connection/websocket HTTP/1.1\r\nX: " + b"x" * 20_000, b"431"),
        (b"GET /connection/websocket HTTP/1.1\r\nHost: a\r\n\r\n", b"426"),
        (b"GET /connection/websocket HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
        (HEAD.replace(b"13", b"12") + b"\r\n", b"426"),
        (HEAD.replace(b"GET", b"POST") + b"\r\n", b"405"),
        (HEAD + b"bad header\r\n\r\n", b"400"),
        (HEAD + b"Origin: https://evil.example\r\n\r\n", b"403"),
        (HEAD + b"Origin: null\r\n\r\n", b"403"),
        (HEAD + b"Origin: https://shop.example.evil.example\r\n\r\n", b"403"),
        (HEAD + b"Origin: https://a\r\nOrigin: https://shop.example\r\n\r\n", b"403"),
        (HEAD + b"Origin: https://shop.example\r\n\r\n", b"101"),
    ],
)
async def test_a_handshake_gets_its_status(worker: Running, sent: bytes, status: bytes) -> None:
    async with peer(worker, upgraded=False) as client:
        client.send(sent)
        assert (await client.head()).startswith(b"HTTP/1.1 " + status)


async def test_origins_may_be_listed(start: Start) -> None:
    worker = await start(allowed_origins=("https://app.example",))
    for origin, status in ((b"https://app.example", b"101"), (b"https://shop.example", b"403")):
        async with peer(worker, upgraded=False) as client:
            client.send(HEAD + b"Origin: " + origin + b"\r\n\r\n")
            assert (await client.head()).startswith(b"HTTP/1.1 " + status)


async def test_beyond_its_budget_a_worker_asks_to_come_later(start: Start) -> None:
    worker = await start(accepts_per_second=1)
    async with peer(worker), peer(worker, upgraded=False) as late:
        late.send(HEAD + b"\r\n")
        answer = await late.everything()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: " in answer


async def test_a_full_worker_asks_to_come_later(start: Start) -> None:
    worker = await start(max_connections=1)
    async with peer(worker), peer(worker, upgraded=False) as late:
        late.send(HEAD + b"\r\n")
        assert (await late.head()).startswith(b"HTTP/1.1 503 ")
