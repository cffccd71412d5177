import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from deploy.local import RedisServer
from hub.domain.errors import StoreUnavailable
from hub.store.pubsub import PubSub
from hub.store.single import SingleServer
from tests.integration.gateway.stage import until
from tests.services import running


class Notes:
    """What a PubSub has handed over."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.gaps = 0

    def on_message(self, listener: str, payload: bytes) -> None:
        self.messages.append((listener, payload))

    def on_gap(self) -> None:
        self.gaps += 1


@asynccontextmanager
async def listening(url: str, **options: Any) -> AsyncIterator[tuple[PubSub[str], Notes, Redis]]:
    notes = Notes()
    server = SingleServer(url)
    async with PubSub(server, on_message=notes.on_message, on_gap=notes.on_gap, **options) as pubsub:
        assert await pubsub.wait_connected(5)
        yield pubsub, notes, server.redis
    await server.aclose()


async def test_what_is_published_after_subscribing_arrives(redis_url: str, unique_name: str) -> None:
    async with listening(redis_url) as (pubsub, notes, redis):
        await pubsub.subscribe({unique_name.encode(): "a"})
        assert await redis.publish(unique_name, b"1") == 1
        await until(lambda: notes.messages == [("a", b"1")])


async def test_many_channels_are_confirmed_before_subscribe_returns(redis_url: str, unique_name: str) -> None:
    names = [f"{unique_name}:{n}" for n in range(1_700)]
    async with listening(redis_url) as (pubsub, notes, redis):
        await pubsub.subscribe({name.encode(): name for name in names})
        for name in names[::100]:
            assert await redis.publish(name, b"x") == 1
        await until(lambda: [listener for listener, _ in notes.messages] == names[::100])


async def test_nothing_arrives_after_unsubscribing(redis_url: str, unique_name: str) -> None:
    async with listening(redis_url) as (pubsub, notes, redis):
        await pubsub.subscribe({unique_name.encode(): "a", b"other" + unique_name.encode(): "b"})
        pubsub.unsubscribe([unique_name.encode(), b"never subscribed"])
        await redis.publish(unique_name, b"1")
        await redis.publish("other" + unique_name, b"2")
        await until(lambda: notes.messages == [("b", b"2")])


async def test_a_lost_connection_comes_back_with_its_channels_and_tells_of_the_gap(
    redis_url: str, unique_name: str
) -> None:
    async with listening(redis_url) as (pubsub, notes, redis):
        await pubsub.subscribe({unique_name.encode(): "a"})
        await redis.client_kill_filter(_type="pubsub", skipme=True)
        await until(lambda: notes.gaps == 1)
        assert await redis.publish(unique_name, b"1") == 1
        await until(lambda: notes.messages == [("a", b"1")])


async def test_without_redis_subscribing_fails_at_once_and_works_again_later(tmp_path: Path, unique_name: str) -> None:
    with running(RedisServer(tmp_path / "redis")) as server:
        async with listening(server.url) as (pubsub, notes, redis):
            await pubsub.subscribe({b"kept": "kept"})
            await asyncio.to_thread(server.stop)
            await until(lambda: not pubsub.connected)
            with pytest.raises(StoreUnavailable):
                await pubsub.subscribe({b"refused": "refused"})
            await asyncio.to_thread(server.start)
            await until(lambda: notes.gaps == 1)
            assert await redis.publish("refused", b"") == 0
            assert await redis.publish("kept", b"1") == 1


async def test_a_silent_redis_is_given_up(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path / "redis")) as server:
        async with listening(server.url, health_interval_s=0.2) as (pubsub, notes, _):
            server.pause()
            await until(lambda: not pubsub.connected, within_s=2)
            server.resume()
            await until(lambda: notes.gaps == 1)


async def test_a_password_a_database_and_a_unix_socket(tmp_path: Path) -> None:
    password, socket = secrets.token_hex(8), tmp_path / "redis.sock"
    process = await asyncio.create_subprocess_exec(
        "redis-server",
        *("--port", "0", "--unixsocket", str(socket), "--requirepass", password, "--save", "", "--dir", str(tmp_path)),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(socket.exists)
        async with listening(f"unix://:{password}@{socket}?db=3") as (pubsub, notes, redis):
            await pubsub.subscribe({b"c": "a"})
            await redis.publish("c", b"1")
            await until(lambda: notes.messages == [("a", b"1")])
        async with PubSub[str](SingleServer(f"unix://:wrong@{socket}"), on_message=print, on_gap=print) as refused:
            assert not await refused.wait_connected(0.3)
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("noise", [b"-ERR no\r\n", b"!nonsense\r\n", b"*3\r\n$7\r\nmessage\r\n$1\r\n", b""])
async def test_a_peer_that_talks_nonsense_is_tried_again(noise: bytes) -> None:
    visits = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visits
        visits += 1
        with contextlib.suppress(ConnectionError):
            await reader.read(100)
            writer.write(noise)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with PubSub[str](SingleServer(f"redis://127.0.0.1:{port}"), on_message=print, on_gap=print) as pubsub:
        await until(lambda: visits >= 2)
        assert not pubsub.connected
    server.close()
