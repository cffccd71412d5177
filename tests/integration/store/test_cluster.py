"""Commands on a cluster: where they go, and what becomes of them while slots move and servers die.

Each test has keys of its own; those that move slots or kill servers have a cluster of their own.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest

from deploy.local import RedisCluster, RedisServer
from hub.domain.decisions import Publication
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import EffectId, Topic
from hub.domain.topics import Namespaces
from hub.store.address import redis_address
from hub.store.cluster import ClusterServer
from hub.store.connection import generation_of, pipelined
from hub.store.embedded import bundled_binary
from hub.store.keys import Keys
from hub.store.opening import open_server
from hub.store.pubsub import PubSub
from hub.store.routes import SLOTS, slot_of
from hub.store.scripts import Scripts
from hub.store.topics import Duplicate, Published, Topics
from tests.integration.store.hearing import hearing
from tests.services import running

KEYS = Keys()
ORDERS = [Topic(f"order:{number}") for number in range(60)]
_UNREAD_BYTES = 20_000_000
"""More than the buffers between us and a server take."""


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with running(RedisCluster(tmp_path_factory.mktemp("cluster"))) as cluster:
        yield cluster


@pytest.fixture
async def cluster(own_cluster: RedisCluster) -> AsyncIterator[ClusterServer]:
    for server in own_cluster.servers:
        server.ask("FLUSHALL")
    async with aclosing(ClusterServer(redis_address(own_cluster.url), timeout_s=1.0)) as opened:
        yield opened


@pytest.fixture
def topics(cluster: ClusterServer) -> Topics:
    return topics_on(cluster)


def topics_on(server: ClusterServer) -> Topics:
    return Topics(server, Scripts(server), KEYS, Namespaces(), dedupe_window_s=60)


def publications(*effects: str, topics: list[Topic] = ORDERS) -> list[Publication]:
    return [Publication(topic, EffectId(effect), f'"{effect}"'.encode()) for effect in effects for topic in topics]


def slot(topic: Topic) -> int:
    return slot_of(KEYS.topic_meta(topic).encode())


class Migration:
    """The move of a topic's slot from the server that has it to another one."""

    def __init__(self, cluster: RedisCluster, topic: Topic) -> None:
        self.cluster = cluster
        self.slot = slot(topic)
        self.source = cluster.master_of(self.slot)
        self.target = next(server for server in cluster.servers if server is not self.source)

    def begin(self) -> None:
        self.target.ask("CLUSTER", "SETSLOT", str(self.slot), "IMPORTING", self.source.ask("CLUSTER", "MYID"))
        self.source.ask("CLUSTER", "SETSLOT", str(self.slot), "MIGRATING", self.target.ask("CLUSTER", "MYID"))

    def move(self, *, leave: int = 0) -> None:
        """Move the slot's keys, all but `leave` of them."""
        names = self.source.ask("CLUSTER", "GETKEYSINSLOT", str(self.slot), "100").split()
        for name in names[leave:]:
            self.source.ask("MIGRATE", "127.0.0.1", str(self.target.port), name, "0", "1000")

    def end(self) -> None:
        for server in (self.target, self.source):
            server.ask("CLUSTER", "SETSLOT", str(self.slot), "NODE", self.target.ask("CLUSTER", "MYID"))


async def test_a_batch_over_all_servers_is_answered_in_its_order(topics: Topics) -> None:
    results = await topics.publish_many(publications("a", "b", "a"))
    expected = [1] * len(ORDERS) + [2] * len(ORDERS) + [None] * len(ORDERS)
    assert [getattr(result, "offset", None) for result in results] == expected
    assert {position.offset for position in await topics.positions(ORDERS)} == {2}


async def test_keys_are_where_the_cluster_wants_them(
    topics: Topics, cluster: ClusterServer, own_cluster: RedisCluster
) -> None:
    await topics.publish_many(publications("a"))
    counts = [int(server.ask("DBSIZE")) for server in own_cluster.servers]
    assert min(counts) > 0
    assert await cluster.exchange([("EXISTS", KEYS.topic_meta(topic)) for topic in ORDERS]) == [1] * len(ORDERS)


async def test_a_server_that_has_lost_its_scripts_gets_them_again(topics: Topics, own_cluster: RedisCluster) -> None:
    await topics.publish_many(publications("a"))
    own_cluster.servers[0].ask("SCRIPT", "FLUSH")
    results = await topics.publish_many(publications("a", "b"))
    assert [type(result) for result in results] == [Duplicate] * len(ORDERS) + [Published] * len(ORDERS)


async def test_what_has_moved_is_followed(topics: Topics, own_cluster: RedisCluster) -> None:
    topic = ORDERS[7]
    await topics.publish_many(publications("a"))
    migration = Migration(own_cluster, topic)
    for step in (migration.begin, migration.move, migration.end):
        step()
    results = await topics.publish_many(publications("a", "b", topics=[topic]))
    assert [getattr(result, "offset", None) for result in results] == [None, 2]


async def test_a_topic_half_moved_waits_and_keeps_its_order(topics: Topics, own_cluster: RedisCluster) -> None:
    topic = ORDERS[8]
    await topics.publish_many(publications("a"))
    migration = Migration(own_cluster, topic)
    migration.begin()
    migration.move(leave=1)
    effects = [f"e{number}" for number in range(5)]
    publishing = asyncio.create_task(topics.publish_many(publications(*effects, topics=[topic])))
    await topics.publish_many(publications("other", topics=ORDERS[9:12]))
    assert not publishing.done()
    migration.move()
    migration.end()
    results = await publishing
    assert [getattr(result, "offset", None) for result in results] == [2, 3, 4, 5, 6]
    page = await topics.read_since(topic, 1, limit=9)
    assert [stored.data.decode().strip('"') for stored in page.publications] == effects


async def test_what_has_been_moved_already_is_asked_for_at_the_new_server(
    topics: Topics, own_cluster: RedisCluster
) -> None:
    topic = ORDERS[9]
    await topics.publish_many(publications("a"))
    migration = Migration(own_cluster, topic)
    migration.begin()
    migration.move()
    try:
        assert (await topics.positions([topic]))[0].offset == 1
        assert len((await topics.read_since(topic, 0, limit=9)).publications) == 1
    finally:
        migration.end()


async def test_a_topic_that_begins_in_a_slot_on_the_move_begins_at_its_new_server(
    topics: Topics, own_cluster: RedisCluster
) -> None:
    topic = Topic("order:not-there-yet")
    migration = Migration(own_cluster, topic)
    migration.begin()
    publishing = asyncio.create_task(topics.publish_many(publications("a", "b", "a", topics=[topic])))
    await topics.publish_many(publications("other", topics=ORDERS[10:12]))
    migration.end()
    assert [getattr(result, "offset", None) for result in await publishing] == [1, 2, None]
    assert own_cluster.master_of(migration.slot) is migration.target


async def test_a_channel_is_heard_again_when_its_slot_has_moved_and_the_gap_is_told(
    topics: Topics, cluster: ClusterServer, own_cluster: RedisCluster
) -> None:
    topic = Topic("order:heard")
    heard: list[bytes] = []
    gaps: list[bool] = []
    pubsub = PubSub[str](cluster, on_message=lambda _, message: heard.append(message), on_gap=lambda: gaps.append(True))
    async with pubsub:
        assert await pubsub.wait_connected(5)
        await pubsub.subscribe({KEYS.topic_channel(topic).encode(): topic})
        await topics.publish_many(publications("a", topics=[topic]))
        migration = Migration(own_cluster, topic)
        for step in (migration.begin, migration.move, migration.end):
            step()
        async with asyncio.timeout(8):
            while not gaps:  # noqa: ASYNC110 - nobody sets an event
                await asyncio.sleep(0.02)
        assert pubsub.connected
        await topics.publish_many(publications("b", topics=[topic]))
        async with asyncio.timeout(5):
            while len(heard) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert [message.rpartition(b":")[2] for message in heard] == [b'"a"', b'"b"']


async def test_without_one_server_the_others_go_on(
    topics: Topics, cluster: ClusterServer, own_cluster: RedisCluster
) -> None:
    await topics.publish_many(publications("a"))
    generation = await generation_of(cluster)
    away = own_cluster.master_of(slot(ORDERS[0]))
    elsewhere = [topic for topic in ORDERS if own_cluster.master_of(slot(topic)) is not away]
    await asyncio.to_thread(away.kill)
    try:
        results = await topics.publish_many(publications("b", topics=elsewhere))
        assert {getattr(result, "offset", None) for result in results} == {2}
        with pytest.raises(StoreUnavailable):
            await topics.publish_many(publications("b", topics=[ORDERS[0]]))
        with pytest.raises(StoreUnavailable):
            await generation_of(cluster)
    finally:
        await asyncio.to_thread(away.start)
    await _whole(own_cluster)
    results = await topics.publish_many(publications("b"))
    assert {getattr(result, "offset", 2) for result in results} == {2}
    assert await generation_of(cluster) != generation


async def _whole(cluster: RedisCluster) -> None:
    """Wait until every server takes commands for every slot."""
    async with asyncio.timeout(15):
        while not all(_takes_all(server) for server in cluster.servers):  # noqa: ASYNC110 - nobody sets an event
            await asyncio.sleep(0.05)


def _takes_all(server: RedisServer) -> bool:
    info = server.ask("CLUSTER", "INFO")
    return "cluster_state:ok" in info and f"cluster_slots_ok:{SLOTS}" in info


async def test_who_waits_for_a_frozen_master_is_answered_by_the_one_that_takes_over(tmp_path: Path) -> None:
    with running(RedisCluster(tmp_path, replicas=1)) as own:
        async with aclosing(ClusterServer(redis_address(own.url), timeout_s=100.0)) as server:
            assert await server.exchange([("SET", "order", "placed")]) == [b"OK"]
            await asyncio.to_thread(own.master_of(slot_of(b"order")).pause)
            async with asyncio.timeout(50):
                answers = await asyncio.gather(*(server.exchange([("SET", "order", "packed")]) for _ in range(5)))
                assert answers == [[b"OK"]] * 5
                assert await server.exchange([("GET", "order")]) == [b"packed"]


async def test_a_frozen_master_that_has_not_read_everything_is_given_up_as_well(tmp_path: Path) -> None:
    with running(RedisCluster(tmp_path, replicas=1)) as own:
        async with aclosing(ClusterServer(redis_address(own.url), timeout_s=100.0)) as server:
            assert await server.exchange([("SET", "order", "placed")]) == [b"OK"]
            await asyncio.to_thread(own.master_of(slot_of(b"order")).pause)
            async with asyncio.timeout(50):
                large = asyncio.create_task(server.exchange([("SET", "order", b"x" * _UNREAD_BYTES)]))
                answers = await asyncio.gather(*(server.exchange([("GET", "order")]) for _ in range(5)))
                # Nothing where the successor had not heard of the first value yet.
                assert {len(answer or b"") for (answer,) in answers} <= {0, len("placed"), _UNREAD_BYTES}
                assert await large == [b"OK"]


async def test_the_generation_stays_while_only_slots_move(cluster: ClusterServer, own_cluster: RedisCluster) -> None:
    generation = await generation_of(cluster)
    migration = Migration(own_cluster, Topic("order:moves"))
    for step in (migration.begin, migration.end):
        step()
    async with asyncio.timeout(10):
        while True:
            # The servers need a moment to agree on the new epoch; until then nobody may be told that all is well.
            try:
                assert await generation_of(cluster) == generation
                break
            except StoreUnavailable:
                await asyncio.sleep(0.05)


async def test_a_server_that_is_no_cluster_is_named_as_the_mistake(redis_server: RedisServer) -> None:
    async with aclosing(open_server(f"redis+cluster://127.0.0.1:{redis_server.port}")) as opened:
        with pytest.raises(StoreUnavailable, match="cluster"):
            await pipelined(opened, [("GET", "k")], what="test")


async def test_nobody_there_is_unavailable() -> None:
    async with aclosing(ClusterServer(redis_address("redis+cluster://127.0.0.1:1,127.0.0.1:2"))) as nobody:
        with pytest.raises(StoreUnavailable, match="no server of the cluster can be asked"):
            await topics_on(nobody).publish_many(publications("a"))


async def test_on_redis_6_publications_reach_every_server(tmp_path: Path) -> None:
    redis_6 = bundled_binary()
    assert redis_6 is not None
    with running(RedisCluster(tmp_path, binary=redis_6)) as cluster:
        async with aclosing(ClusterServer(redis_address(cluster.url))) as opened:
            listening = [KEYS.topic_channel(topic) for topic in ORDERS[:3]]
            async with AsyncExitStack() as stack:
                queues = [await stack.enter_async_context(hearing(opened, channel)) for channel in listening]
                await topics_on(opened).publish_many(publications("a"))
                messages = [await asyncio.wait_for(queue.get(), 2) for queue in queues]
            assert opened.sharded is False
    assert [message.endswith(b':"a"') for message in messages] == [True] * len(listening)
