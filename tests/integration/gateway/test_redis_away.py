"""Redis stops for ten seconds under gateways full of clients: every topic goes on as if nothing had been."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deploy.local import RedisServer
from hub.domain.decisions import Publication
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import EffectId, Topic
from tests.integration.gateway.stage import PATIENCE_S, Raw, Running, Start, until
from tests.services import running

AWAY_S = 10.0
USERS = [f"user{number}" for number in range(8)]
SHARED = ["chat:1", *(f"tape:{number}" for number in range(20))]
"""Everybody subscribes to these and to LATEST, and is subscribed to the announcements and an inbox."""
LATEST = ["price:mug", "shipment:s-1"]


def _logs_of(user: str) -> list[str]:
    """The topics of which somebody is to get everything."""
    return [*SHARED, f"order:1-{user}", f"inbox:{user}", "announcements"]


async def _publish(worker: Running, numbers: Sequence[int]) -> None:
    """Publish each number on every topic, again and again until Redis has taken it: the ids make that harmless."""
    for number in numbers:
        body = json.dumps({"n": number}).encode()
        topics = {topic for user in USERS for topic in (*_logs_of(user), *LATEST)}
        batch = [Publication(Topic(topic), EffectId(f"n{number}"), body, number) for topic in topics]
        async with asyncio.timeout(AWAY_S + PATIENCE_S):
            while True:
                try:
                    await worker.topics.publish_many(batch)
                except StoreUnavailable:
                    await asyncio.sleep(0.05)
                else:
                    break


async def _watching(stack: AsyncExitStack, worker: Running, user: str) -> Raw:
    client = await stack.enter_async_context(worker.user(user))
    for topic in (*SHARED, *LATEST, f"order:1-{user}"):
        assert "code" not in await client.call(subscribe={"channel": topic})
    return client


def _numbers(client: Raw, topic: str) -> list[int]:
    pushes = [push["push"] for push in client.pushes if "pub" in push.get("push", {})]
    return [push["pub"]["data"]["n"] for push in pushes if push["channel"] == topic]


@pytest.mark.timeout(180)
async def test_ten_seconds_without_redis_cost_no_topic_a_publication(tmp_path: Path, start: Start) -> None:
    with running(RedisServer(tmp_path / "redis")) as server:
        workers = [await start(url=server.url) for _ in range(2)]
        async with AsyncExitStack() as stack:
            clients = {user: await _watching(stack, workers[at % 2], user) for at, user in enumerate(USERS)}
            await _publish(workers[0], range(1, 11))
            await asyncio.to_thread(server.stop)
            publishing = asyncio.create_task(_publish(workers[1], range(11, 21)))
            await asyncio.sleep(AWAY_S)
            assert not publishing.done()
            assert [worker.gateway.connections for worker in workers] == [len(USERS) // 2] * 2
            await asyncio.to_thread(server.start)
            await publishing
            await until(lambda: all(worker.gateway.ready for worker in workers))
            await _publish(workers[0], range(21, 31))
            for user, client in clients.items():
                while not all(_numbers(client, topic)[-1:] == [30] for topic in (*_logs_of(user), *LATEST)):
                    client.pushes.append(await client.next())
                everything = {topic: [*range(1, 31)] for topic in _logs_of(user)}
                assert {topic: _numbers(client, topic) for topic in everything} == everything
                for topic in LATEST:
                    numbers = _numbers(client, topic)
                    assert numbers == sorted(set(numbers))
                assert all("pub" in push.get("push", {}) for push in client.pushes if push)
