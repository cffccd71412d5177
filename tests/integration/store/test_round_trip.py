import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hub.store.round_trip import Command
from hub.store.single import SingleServer


@pytest.fixture
async def server(redis_url: str) -> AsyncIterator[SingleServer]:
    server = SingleServer(redis_url)
    yield server
    await server.aclose()


async def test_replies_come_in_the_order_of_the_commands(server: SingleServer) -> None:
    replies = await server.exchange([("ECHO", str(number)) for number in range(3_000)])
    assert replies == [b"%d" % number for number in range(3_000)]


async def test_words_of_every_kind_are_sent_as_they_are(server: SingleServer, key_prefix: str) -> None:
    words: Command = ("zoë", b"\x00\r\n$1", 7, 1.5, "")
    replies = await server.exchange([("RPUSH", key_prefix, *words), ("LRANGE", key_prefix, 0, -1)])
    assert replies == [5, ["zoë".encode(), b"\x00\r\n$1", b"7", b"1.5", b""]]


async def test_an_error_reply_stands_among_the_others(server: SingleServer) -> None:
    first, error, last = await server.exchange([("ECHO", "a"), ("NO-SUCH-COMMAND",), ("ECHO", "b")])
    assert (first, last) == (b"a", b"b")
    assert isinstance(error, ResponseError)


async def test_a_reply_larger_than_a_read_arrives_whole(server: SingleServer) -> None:
    large = b"x" * 3_000_000
    assert await server.exchange([("ECHO", large), ("ECHO", "b")]) == [large, b"b"]


async def test_many_trips_at_once_keep_their_replies_apart(server: SingleServer) -> None:
    trips = [server.exchange([("ECHO", f"{trip}-{number}") for number in range(50)]) for trip in range(60)]
    for trip, replies in enumerate(await asyncio.gather(*trips)):
        assert replies == [f"{trip}-{number}".encode() for number in range(50)]


async def test_a_connection_that_redis_has_closed_is_opened_again(server: SingleServer, redis_url: str) -> None:
    (client_id,) = await server.exchange([("CLIENT", "ID")])
    async with aclosing(SingleServer(redis_url)) as other:
        await other.redis.client_kill_filter(_id=str(client_id))
    assert await server.exchange([("ECHO", "a")]) == [b"a"]


async def test_silence_for_the_socket_timeout_is_a_timeout(redis_url: str) -> None:
    async with aclosing(SingleServer(redis_url, timeout_s=0.1)) as impatient:
        with pytest.raises(RedisTimeoutError):
            await impatient.exchange([("BLPOP", "nothing-here", 5)])
        assert await impatient.exchange([("ECHO", "a")]) == [b"a"]


async def test_nobody_reads_the_replies_of_a_cancelled_trip(redis_url: str) -> None:
    async with (
        aclosing(SingleServer(redis_url, max_connections=1)) as single,
        aclosing(SingleServer(redis_url)) as other,
    ):
        trip = asyncio.create_task(single.exchange([("BLPOP", "nothing-here", 1), ("ECHO", "stale")]))
        async with asyncio.timeout(30):
            while b"cmd=blpop" not in (await other.exchange([("CLIENT", "LIST")]))[0]:
                pass
        trip.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trip
        assert await single.exchange([("ECHO", "fresh")]) == [b"fresh"]
