"""How many may come in, of one person, of one address and altogether, and what those are told who may not."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import InvalidStatus

from hub.gateway import gateway as gateway_module
from tests.integration.gateway.stage import PATIENCE_S, Start, until


async def test_a_person_has_so_many_connections(start: Start) -> None:
    worker = await start(max_connections_per_user=2)
    async with worker.user("ann") as first, worker.user("ann"), worker.user("bob"), worker.raw() as third:
        await third.send({"id": 1, "connect": {"token": "ann"}})
        assert await third.closed() == (3504, "connection limit")
        await first.socket.close()
        await until(lambda: worker.gateway.connections == 2)
        async with worker.user("ann") as again:
            await worker.publish("inbox:ann", 1)
            assert len(await again.publications(1)) == 1


async def test_all_connections_at_once_are_not_more_than_allowed(start: Start) -> None:
    worker = await start(max_connections_per_user=3)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(worker.raw()) for _ in range(10)]
        await asyncio.gather(*(client.send({"id": 1, "connect": {"token": "ann"}}) for client in clients))
        await until(lambda: sum(client.socket.close_code == 3504 for client in clients) == 7)
        await until(lambda: worker.gateway.connections == 3)


async def test_services_have_no_such_limit(start: Start) -> None:
    worker = await start(max_connections_per_user=1)
    async with worker.user("service:a") as first, worker.user("service:a") as second:
        assert await first.call(ping={}) == await second.call(ping={}) == {}


async def test_an_address_has_so_many_connections(start: Start) -> None:
    worker = await start(max_connections_per_address=2)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(worker.user("ann"))
        await stack.enter_async_context(worker.user("bob"))
        with pytest.raises(InvalidStatus) as refused:
            await stack.enter_async_context(worker.raw())
        assert refused.value.response.status_code == 429
        assert int(refused.value.response.headers["Retry-After"]) > 0
        await first.socket.close()
        await until(lambda: worker.gateway.connections == 1)
        await stack.enter_async_context(worker.user("cid"))


async def test_behind_a_proxy_each_client_has_its_own_address(start: Start) -> None:
    worker = await start(max_connections_per_address=1, trusted_proxies=("127.0.0.1",))
    async with (
        worker.raw(additional_headers={"X-Forwarded-For": "198.51.100.1"}),
        worker.raw(additional_headers={"X-Forwarded-For": "198.51.100.2"}),
    ):
        with pytest.raises(InvalidStatus):
            async with worker.raw(additional_headers={"X-Forwarded-For": "6.6.6.6, 198.51.100.1"}):
                pass


async def test_a_full_worker_says_when_to_come_again(start: Start) -> None:
    worker = await start(max_connections=1)
    async with worker.user("ann"):
        with pytest.raises(InvalidStatus) as refused:
            async with worker.raw():
                pass
    assert refused.value.response.status_code == 503
    assert int(refused.value.response.headers["Retry-After"]) > 0


async def test_over_the_budget_of_handshakes_it_is_503(start: Start) -> None:
    worker = await start(accepts_per_second=3)
    answers = await asyncio.gather(*(_status(worker.port) for _ in range(20)))
    assert answers.count(101) in {3, 4, 5}
    assert answers.count(503) == 20 - answers.count(101)


async def test_a_client_is_not_called_silent_because_the_worker_was_late(start: Start) -> None:
    worker = await start(connect_timeout_s=0.5)
    async with worker.raw() as app:
        await app.send({"id": 1, "connect": {"token": "ann"}})
        _stall(1.5)
        reply = await app.next()
    assert reply["connect"]["client"]


def _stall(seconds: float) -> None:
    """Keep the event loop, and so the worker, from everything."""
    time.sleep(seconds)


async def _status(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /connection/websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    status = int((await reader.readline()).split()[1])
    writer.close()
    return status


async def test_who_waits_with_half_a_head_makes_room_when_descriptors_run_out(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "descriptor_limit", lambda: 100)
    worker = await start()
    slow = [await asyncio.open_connection("127.0.0.1", worker.port) for _ in range(120)]
    for _, writer in slow:
        writer.write(b"GET /connection/websocket HTTP/1.1\r\nX: ")
    async with worker.user("ann") as ann:
        assert await ann.call(ping={}) == {}
        async with asyncio.timeout(PATIENCE_S):
            assert await _read_all(slow[0][0]) == b""
    for _, writer in slow:
        writer.close()


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
