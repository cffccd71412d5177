"""A master dies under traffic and a replica takes over: everybody ends up with everything, once and in order.

The publisher keeps the consumers' rule: what it wrote counts only once it is older than the sync interval, in the same
generation of servers; in another one it is written again.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from consumers.acknowledgement import Ledger, Replay
from consumers.ports import Generation
from deploy.local import RedisCluster, RedisSentinels, RedisServer
from hub.domain.decisions import Publication
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import EffectId, Topic
from hub.store.connection import generation_of
from hub.store.opening import open_server
from hub.store.routes import slot_of
from hub.store.server import Server
from hub.store.topics import Published
from tests.integration.gateway.stage import PATIENCE_S, Raw, Running, until, workers
from tests.services import running

TOPICS = [Topic(f"tape:{name}") for name in ("a", "b", "c", "d", "e", "f")]
VIEWERS = 4
BACK_WITHIN_S = 15.0
SYNC_S = 2.5
_PACE_S = 0.005
_AFTERWARDS = 200
"""Publications on each topic after the service is back."""


@dataclass
class Deployed:
    """A deployment that survives the death of a master."""

    url: str
    master: Callable[[str], RedisServer]
    """Who has a key now."""


@contextmanager
def a_cluster(folder: Path) -> Iterator[Deployed]:
    with running(RedisCluster(folder, replicas=1)) as cluster:
        yield Deployed(cluster.url, lambda key: cluster.master_of(slot_of(key.encode())))


@contextmanager
def sentinels(folder: Path) -> Iterator[Deployed]:
    with running(RedisSentinels(folder)) as set_of_three:
        yield Deployed(set_of_three.url, lambda _: set_of_three.master)


@dataclass
class Publisher:
    """Publishes 1, 2, 3 … on every topic, the next number when the one before is written."""

    worker: Running
    written: int = 0
    again: set[int] = field(default_factory=set)
    """Numbers that had been lost and were written anew, after later ones."""
    ledger: Ledger[int] = field(default_factory=lambda: Ledger(fsync_interval_s=SYNC_S))
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        while not self.done.is_set():
            await self._publish(self.written + 1)
            self.written += 1
            await self._settle()
            await asyncio.sleep(_PACE_S)
        while len(self.ledger):
            await self._settle()
            await asyncio.sleep(0.05)

    async def _publish(self, number: int) -> None:
        batch = [Publication(topic, EffectId(f"e{number}"), b'{"n":%d}' % number) for topic in TOPICS]
        while True:
            try:
                generation = Generation(await generation_of(self.worker.store))
                results = await self.worker.topics.publish_many(batch)
            except StoreUnavailable:
                await asyncio.sleep(0.05)
                continue
            if number <= self.written and any(isinstance(result, Published) for result in results):
                self.again.add(number)
            self.ledger.written(number, at_s=time.monotonic(), generation=generation)
            return

    async def _settle(self) -> None:
        try:
            generation = Generation(await generation_of(self.worker.store))
        except StoreUnavailable:
            return
        due = self.ledger.due(now_s=time.monotonic(), generation=generation)
        if isinstance(due, Replay):
            for number in due.marks:
                await self._publish(number)


class Viewer:
    """A subscriber of all topics, who notes everything."""

    def __init__(self, client: Raw) -> None:
        self._client = client
        self.seen: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.told: list[Any] = []

    async def subscribe(self) -> None:
        for topic in TOPICS:
            answer = await self._client.call(subscribe={"channel": topic})
            assert answer["recoverable"], answer

    async def run(self) -> None:
        for push in self._client.pushes:
            self._note(push)
        async for frame in self._client.socket:
            for line in str(frame).split("\n"):
                self._note(json.loads(line))

    def _note(self, line: Any) -> None:
        push = line.get("push", {})
        if "pub" in push:
            self.seen[push["channel"]].append((push["pub"]["offset"], push["pub"]["data"]["n"]))
        elif line:
            self.told.append(line)

    def has(self, count: int) -> bool:
        return all(len(self.seen[topic]) >= count for topic in TOPICS)


@asynccontextmanager
async def meanwhile(*work: Coroutine[Any, Any, None]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run some work beside a `with` block, and none of it any longer than that."""
    tasks = [asyncio.create_task(part) for part in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def _next_generation(server: Server) -> str:
    async with asyncio.timeout(BACK_WITHIN_S):
        while True:
            try:
                return await generation_of(server)
            except StoreUnavailable:
                await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("deployment", "fault"),
    [
        pytest.param(a_cluster, RedisServer.kill, id="cluster, killed"),
        pytest.param(a_cluster, RedisServer.pause, id="cluster, frozen"),
        pytest.param(sentinels, RedisServer.kill, id="sentinel, killed"),
    ],
)
async def test_a_master_that_is_lost_costs_nobody_anything(
    deployment: Any, fault: Callable[[RedisServer], None], tmp_path: Path, key_prefix: str
) -> None:
    with deployment(tmp_path) as deployed:
        async with workers(deployed.url, key_prefix) as start, AsyncExitStack() as clients:
            worker = await start()
            # Asks for nothing else, as a consumer does that waits for Redis to come back.
            onlooker = await clients.enter_async_context(aclosing(open_server(deployed.url)))
            generation = await generation_of(onlooker)
            publisher = Publisher(worker)
            viewers = [Viewer(await clients.enter_async_context(worker.user(f"v{n}"))) for n in range(VIEWERS)]
            for viewer in viewers:
                await viewer.subscribe()
            async with meanwhile(publisher.run(), *(viewer.run() for viewer in viewers)) as (publishing, *_):
                await until(lambda: publisher.written >= _AFTERWARDS)
                victim = deployed.master(worker.keys.topic_meta(TOPICS[0]))
                await asyncio.to_thread(fault, victim)
                before, killed_s = publisher.written, time.monotonic()
                await until(lambda: publisher.written > before + 1, within_s=BACK_WITHIN_S)
                away_s = time.monotonic() - killed_s
                await until(lambda: worker.gateway.ready, within_s=BACK_WITHIN_S - away_s)
                await until(lambda: publisher.written >= before + _AFTERWARDS)
                assert await _next_generation(onlooker) != generation
                publisher.done.set()
                await asyncio.wait_for(publishing, PATIENCE_S)
                await until(lambda: all(viewer.has(publisher.written) for viewer in viewers))
    numbers = set(range(1, publisher.written + 1))
    for viewer in viewers:
        assert viewer.told == []
        for topic in TOPICS:
            offsets, seen = zip(*viewer.seen[topic], strict=True)
            assert list(offsets) == list(range(1, publisher.written + 1))
            assert set(seen) == numbers
            in_turn = [number for number in seen if number not in publisher.again]
            assert in_turn == sorted(in_turn)
