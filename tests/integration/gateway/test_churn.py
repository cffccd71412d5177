"""Thousands come and go, in every way there is to go, and nothing of them is left behind."""

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from hub.gateway.connection import Connection
from hub.gateway.door import Door
from hub.gateway.subscriptions import LiveTopic, Subscription
from hub.protocol.session import Session
from tests.integration.gateway.peer import frame, peer
from tests.integration.gateway.stage import Running, open_descriptors, until

_PEOPLE = 2_000
_AT_ONCE = 50
_OURS = (Connection, Session, Subscription, LiveTopic, Door)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is freed is freed by reference counting, at once."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def ours() -> list[object]:
    return [each for each in gc.get_objects() if isinstance(each, _OURS)]


def new_since(before: Sequence[object]) -> Counter[str]:
    """Whoever holds `before` keeps it alive: nothing new has the id of any of it."""
    known = set(map(id, before))
    return Counter(type(each).__name__ for each in ours() if id(each) not in known)


async def come_and_go(worker: Running, number: int) -> None:
    async with peer(worker, upgraded=number % 10 != 9) as client:
        if number % 10 == 9:
            client.send(b"GET /connection/websocket HTTP/1.1\r\n")
            return
        client.send(frame(b'{"id":1,"connect":{"token":"user-%d"}}' % number))
        if number % 10 == 8:
            return
        await client.frame()
        client.send(frame(b'{"id":2,"subscribe":{"channel":"log:%d"}}\n{"id":3,"rpc":{"method":"echo"}}' % number))
        match number % 10:
            case 0 | 1 | 2:
                await client.frame()
                client.send(frame(b"\x03\xe8", first=0x88))
                await client.close_code()
            case 3 | 4:
                client.writer.transport.abort()
            case 5:
                client.send(b"\xff" * 10)
                await client.close_code()
            case 6:
                client.send(b"\x01\x85\0\0\0\0hel")
            case _:
                await client.frame()


@pytest.mark.usefixtures("no_collector")
async def test_nothing_is_left_of_thousands_who_came_and_went(worker: Running) -> None:
    async with worker.user("stays") as neighbour:
        before, descriptors = ours(), open_descriptors()
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int) -> None:
            async with turns:
                await come_and_go(worker, number)

        async with asyncio.timeout(60):
            await asyncio.gather(*(one(number) for number in range(_PEOPLE)))
        with contextlib.suppress(TimeoutError):
            await until(lambda: not new_since(before))
        assert new_since(before) == Counter()
        await until(lambda: open_descriptors() <= descriptors)
        assert worker.gateway.connections == 1
        assert await neighbour.call(ping={}) == {}
