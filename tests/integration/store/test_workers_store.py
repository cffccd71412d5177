import pytest
from redis.asyncio import Redis

from hub.store.keys import Keys
from hub.store.scripts import Scripts
from hub.store.workers import WorkerFacts, Workers


@pytest.fixture
def workers(scripts: Scripts, keys: Keys) -> Workers:
    return Workers(scripts, keys)


def facts(uid: str, clients: int = 0) -> WorkerFacts:
    return WorkerFacts(uid, f"host-{uid}", "1", 5, clients=clients, users=0, topics=0, subscriptions=0)


async def test_nobody_runs_at_first(workers: Workers) -> None:
    assert await workers.alive() == []


async def test_workers_are_listed_with_what_they_said_last(workers: Workers) -> None:
    for one in (facts("b"), facts("a", 1), facts("a", 2)):
        await workers.beat(one)
    assert await workers.alive() == [facts("a", 2), facts("b")]


async def test_a_worker_that_ends_is_not_listed(workers: Workers) -> None:
    await workers.beat(facts("a"))
    await workers.beat(facts("b"))
    await workers.leave("a")
    assert await workers.alive() == [facts("b")]


async def test_a_worker_that_is_silent_is_not_listed_and_forgotten(workers: Workers, redis: Redis, keys: Keys) -> None:
    await workers.beat(facts("a"))
    await redis.zincrby(keys.workers("alive"), -21_000, "a")
    assert await workers.alive() == []
    await workers.beat(facts("b"))
    assert await redis.hkeys(keys.workers("facts")) == [b"b"]


async def test_nothing_stays_when_all_have_gone(workers: Workers, redis: Redis, keys: Keys) -> None:
    await workers.beat(facts("a"))
    assert 0 < await redis.ttl(keys.workers("alive")) <= 20
    assert await workers.alive() == [facts("a")]
    assert 0 < await redis.ttl(keys.workers("facts")) <= 20
