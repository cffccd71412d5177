"""Outcomes get from the outbox to a real Kafka: all of them, those of one notification in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from consumers.outcome_topic import OutcomeTopic
from deploy.local import KafkaServer
from deploy.local.ports import free_port
from hub.app import Stores, open_stores
from hub.settings import Delivery, Kafka, Settings
from hub.store.outbox import Outbox
from tests.integration.consumers.kafka_desk import make_topic
from tests.integration.consumers.recording_ingest import until
from tests.outcomes import IN_ORDER, OUTCOMES_EACH, Told, happen
from tests.services import KAFKA_JARS, running

Open = Callable[[str], AsyncIterator[Stores]]


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    with running(KafkaServer(tmp_path / "kafka", library=KAFKA_JARS)) as server:
        yield server


@pytest.fixture
async def stores(redis_url: str, key_prefix: str, unique_name: str) -> AsyncIterator[Stores]:
    kafka = Kafka(bootstrap="127.0.0.1:1", outcomes_topic=unique_name)
    settings = Settings(key_prefix=key_prefix, kafka=kafka, delivery=Delivery(shards=2))
    async with open_stores(settings, redis_url) as opened:
        yield opened


@asynccontextmanager
async def telling(settings: Kafka, outbox: Outbox, *, send_s: float = 2.0) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(OutcomeTopic(settings, outbox, send_s=send_s).run(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await running


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("doorbell_outcomes_total", {"outcome": outcome}) or 0.0


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


async def test_outcomes_are_told_once_and_in_order(kafka_bootstrap: str, stores: Stores, unique_name: str) -> None:
    await make_topic(kafka_bootstrap, unique_name)
    settings = Kafka(bootstrap=kafka_bootstrap, outcomes_topic=unique_name)
    before = counted("told")
    await happen(stores, names("a", 20))
    async with telling(settings, stores.outbox), Told(kafka_bootstrap, unique_name) as told:
        await told.until(20 * OUTCOMES_EACH)
        await happen(stores, names("b", 20))
        await told.until(40 * OUTCOMES_EACH)
        await until(lambda: counted("told") >= before + 40 * OUTCOMES_EACH)
        await told.to_the_end()
        assert [await stores.outbox.pending(shard, 10) for shard in range(2)] == [[], []]
    assert told.kinds() == dict.fromkeys((*names("a", 20), *names("b", 20)), IN_ORDER)
    assert len(told.events) == 40 * OUTCOMES_EACH


async def test_several_workers_share_the_shards_and_double_nothing(
    kafka_bootstrap: str, stores: Stores, unique_name: str
) -> None:
    await make_topic(kafka_bootstrap, unique_name)
    settings = Kafka(bootstrap=kafka_bootstrap, outcomes_topic=unique_name)
    async with Told(kafka_bootstrap, unique_name) as told:
        async with AsyncExitStack() as stack:
            for _ in range(3):
                outbox = Outbox(stores.server, stores.scripts, stores.keys, shards=2)
                await stack.enter_async_context(telling(settings, outbox))
            for batch in range(5):
                await happen(stores, names(f"{batch}-", 10))
            await told.until(50 * OUTCOMES_EACH)
        await told.to_the_end()
    assert len(told.events) == 50 * OUTCOMES_EACH


async def test_a_broker_killed_and_restarted_in_the_middle_loses_nothing(
    own_kafka: KafkaServer, stores: Stores, unique_name: str
) -> None:
    await make_topic(own_kafka.bootstrap, unique_name)
    settings = Kafka(bootstrap=own_kafka.bootstrap, outcomes_topic=unique_name)
    before = counted("told")
    async with telling(settings, stores.outbox):
        await happen(stores, names("a", 100))
        await until(lambda: counted("told") > before)
        failed = counted("failed")
        await asyncio.to_thread(own_kafka.kill)
        await happen(stores, names("b", 100))
        await until(lambda: counted("failed") > failed)
        await asyncio.to_thread(own_kafka.start)
        await happen(stores, names("c", 100))
        async with Told(own_kafka.bootstrap, unique_name) as told:
            await told.until(300 * OUTCOMES_EACH, within_s=120)
    assert set(map(tuple, told.kinds().values())) == {tuple(IN_ORDER)}
    assert len(told.kinds()) == 300


async def test_while_kafka_is_away_the_oldest_are_dropped_beyond_the_bound(stores: Stores, unique_name: str) -> None:
    settings = Kafka(bootstrap=f"127.0.0.1:{free_port()}", outcomes_topic=unique_name, outcomes_people=20)
    await happen(stores, names("old", 30))
    await happen(stores, names("new", 5))
    before = counted("dropped")
    async with telling(settings, stores.outbox):
        await until(lambda: counted("dropped") >= before + 10 * OUTCOMES_EACH)
        async with asyncio.timeout(20):
            while sum([await stores.outbox.count(shard) for shard in range(2)]) > 20:  # noqa: ASYNC110 - Redis sets no event.
                await asyncio.sleep(0.05)
    left = [await stores.outbox.pending(shard, 100) for shard in range(2)]
    users = {each.user for shard in left for each in shard}
    assert {f"user-new{number}" for number in range(5)} <= users
    assert len(users) <= 20
    assert (counted("dropped") - before) % OUTCOMES_EACH == 0


async def test_what_cannot_be_read_does_not_hold_up_the_others(
    kafka_bootstrap: str, stores: Stores, unique_name: str
) -> None:
    await make_topic(kafka_bootstrap, unique_name)
    settings = Kafka(bootstrap=kafka_bootstrap, outcomes_topic=unique_name)
    await happen(stores, ["n1"])
    key = stores.keys.outbox(next(iter(await stores.outbox.pending(0, 1) + await stores.outbox.pending(1, 1))).user)
    await stores.server.exchange([("LPUSH", key, b'1 n0 ["notification.unheard_of",{}]')])
    told_before, unreadable = counted("told"), counted("unreadable")
    async with telling(settings, stores.outbox), Told(kafka_bootstrap, unique_name) as told:
        await told.until(OUTCOMES_EACH)
    assert counted("unreadable") == unreadable + 1
    assert counted("told") == told_before + OUTCOMES_EACH
    assert told.kinds() == {"n1": IN_ORDER}
