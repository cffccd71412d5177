"""Redis killed, Kafka and RabbitMQ restarted in the middle of the load: nobody does anything, and all comes right."""

import asyncio
from pathlib import Path

import pytest

from deploy.local import KafkaServer, RabbitServer, RedisServer
from tests.acceptance.checker import summary
from tests.acceptance.shop import open_shop
from tests.services import running

pytestmark = pytest.mark.timeout(480)


async def test_nothing_is_lost_or_double_while_redis_and_the_brokers_go_away(
    tmp_path: Path, kafka: KafkaServer, rabbit: RabbitServer, unique_name: str
) -> None:
    redis = RedisServer(tmp_path / "redis")
    with running(redis):
        async with open_shop(
            tmp_path, unique_name, redis_url=redis.url, kafka=kafka, rabbit=rabbit, events=10_000, seed=3
        ) as shop:
            await asyncio.to_thread(rabbit.flush_definitions)
            sending = asyncio.create_task(shop.send())
            await shop.shown(0.1)
            await asyncio.to_thread(redis.kill)
            await asyncio.to_thread(redis.start)
            await shop.shown(0.3)
            await asyncio.gather(asyncio.to_thread(kafka.restart), asyncio.to_thread(rabbit.restart))
            await sending
            await shop.settled(kafka, rabbit)
            found = await shop.verdict()
            for program in shop.programs.values():
                assert program.running
    assert not found, summary(found)
