"""What the store says and does while Redis is away, hangs, is full or read-only. Each test has a Redis of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from redis.asyncio import Redis

from deploy.local import RedisServer
from hub.domain.decisions import Publication
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import EffectId, Topic
from hub.domain.topics import Namespaces
from hub.observe import STORE_ERRORS
from hub.store.connection import generation_of
from hub.store.keys import Keys
from hub.store.scripts import Scripts
from hub.store.single import SingleServer
from hub.store.topics import Duplicate, Published, Topics
from tests.services import running

KEYS = Keys()
ORDER = Topic("order:A-1")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(RedisServer(tmp_path_factory.mktemp("redis") / "own")) as server:
        yield server


@pytest.fixture
async def opened(server: RedisServer) -> AsyncIterator[SingleServer]:
    opened = SingleServer(server.url, timeout_s=0.3)
    await opened.redis.flushall()
    yield opened
    await opened.aclose()


@pytest.fixture
def client(opened: SingleServer) -> Redis:
    return opened.redis


@pytest.fixture
def own_topics(opened: SingleServer) -> Topics:
    return Topics(opened, Scripts(opened), KEYS, Namespaces(), dedupe_window_s=60)


def publications(*effects: str, size: int = 9) -> list[Publication]:
    return [Publication(ORDER, EffectId(effect), b'"%s"' % (b"x" * size)) for effect in effects]


def counted(what: str) -> float:
    return float(STORE_ERRORS.labels(what)._value.get())


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    nobody = SingleServer("redis://127.0.0.1:1", timeout_s=0.3)
    before = counted("info")
    with pytest.raises(StoreUnavailable):
        await generation_of(nobody)
    assert counted("info") == before + 1
    await nobody.aclose()


async def test_publications_go_on_after_a_restart_in_a_new_generation_and_no_scripts(
    server: RedisServer, opened: SingleServer, own_topics: Topics
) -> None:
    await own_topics.publish_many(publications("a"))
    generation = await generation_of(opened)
    await asyncio.to_thread(server.stop)
    with pytest.raises(StoreUnavailable):
        await own_topics.publish_many(publications("b"))
    await asyncio.to_thread(server.restart)
    results = await own_topics.publish_many(publications("a", "b"))
    assert [type(result) for result in results] == [Duplicate, Published]
    assert await generation_of(opened) != generation


async def test_a_hanging_server_is_unavailable_and_nothing_is_done_twice(
    server: RedisServer, own_topics: Topics
) -> None:
    await own_topics.positions([ORDER])
    server.pause()
    try:
        results = await asyncio.gather(
            *(own_topics.publish_many(publications("a", "b")) for _ in range(4)), return_exceptions=True
        )
    finally:
        server.resume()
    assert {type(result) for result in results} == {StoreUnavailable}
    await own_topics.publish_many(publications("a", "b"))
    assert (await own_topics.positions([ORDER]))[0].offset == 2


async def test_a_full_server_is_unavailable_and_no_script_is_half_done(client: Redis, own_topics: Topics) -> None:
    await own_topics.publish_many(publications("a"))
    await client.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailable, match="memory"):
            await own_topics.publish_many(publications("b"))
        assert (await own_topics.read_since(ORDER, 0, limit=9)).position.offset == 1
    finally:
        await client.config_set("maxmemory", 0)
    assert [type(result) for result in await own_topics.publish_many(publications("b"))] == [Published]


async def test_a_demoted_server_is_unavailable(client: Redis, own_topics: Topics) -> None:
    await client.config_set("replica-serve-stale-data", "yes")
    await client.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable, match="replica"):
            await own_topics.publish_many(publications("a"))
        await client.config_set("replica-serve-stale-data", "no")
        with pytest.raises(StoreUnavailable, match=r"(?i)master"):
            await own_topics.positions([ORDER])
    finally:
        await client.config_set("replica-serve-stale-data", "yes")
        await client.replicaof("NO", "ONE")


async def test_scripts_flushed_between_two_batches_are_no_failure(client: Redis, own_topics: Topics) -> None:
    await own_topics.publish_many(publications("a"))
    await client.script_flush()
    results = await own_topics.publish_many(publications("a", "b"))
    assert [type(result) for result in results] == [Duplicate, Published]


async def test_a_cancelled_trip_leaves_no_reply_behind(own_topics: Topics) -> None:
    for _ in range(5):
        trip = asyncio.create_task(own_topics.publish_many(publications(*(str(n) for n in range(200)), size=2_000)))
        await asyncio.sleep(0)
        trip.cancel()
        await asyncio.gather(trip, return_exceptions=True)
        assert (await own_topics.positions([ORDER]))[0].offset <= 200  # the calls are atomic, the trip is not


@pytest.mark.parametrize("lost_bytes", [1, 700, 5_000])
async def test_after_a_power_loss_repeating_everything_leaves_each_publication_once(
    tmp_path: Path, lost_bytes: int
) -> None:
    effects = [str(number) for number in range(60)]
    with running(RedisServer(tmp_path / "redis")) as server:
        async with aclosing(SingleServer(server.url)) as opened:
            topics = Topics(opened, Scripts(opened), KEYS, Namespaces(), dedupe_window_s=60)
            await topics.publish_many(publications(*effects))
            await asyncio.to_thread(_lose_power, server, lost_bytes)
            kept = (await topics.read_since(ORDER, 0, limit=99)).position.offset
            assert kept < len(effects)
            results = await topics.publish_many(publications(*effects))
            page = await topics.read_since(ORDER, 0, limit=99)
    assert [isinstance(result, Duplicate) for result in results] == [index < kept for index in range(len(effects))]
    assert [stored.offset for stored in page.publications] == list(range(1, len(effects) + 1))


def _lose_power(server: RedisServer, lost_bytes: int) -> None:
    """Kill Redis and cut the end off its append-only file, as a machine that stops before the next fsync does."""
    log = max(server.folder.rglob("*.aof"), key=lambda path: path.stat().st_size)
    # While a sync is under way, Redis holds back what it writes next for up to two seconds.
    deadline = time.monotonic() + 5
    while log.stat().st_size <= lost_bytes and time.monotonic() < deadline:
        time.sleep(0.01)
    server.kill()
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - lost_bytes)
    server.restart()
