"""The whole program on Redis Cluster, one of whose masters is killed in the middle of the load."""

import asyncio
from pathlib import Path

import pytest

from deploy.local import KafkaServer, RabbitServer, RedisCluster
from hub.store.routes import slot_of
from tests.acceptance.checker import summary
from tests.acceptance.shop import open_shop
from tests.services import running

pytestmark = pytest.mark.timeout(240)


async def test_nothing_is_lost_or_double_while_a_master_of_the_cluster_is_replaced(
    tmp_path: Path, kafka: KafkaServer, rabbit: RabbitServer, unique_name: str
) -> None:
    with running(RedisCluster(tmp_path / "redis", replicas=1)) as cluster:
        async with open_shop(
            tmp_path, unique_name, redis_url=cluster.url, kafka=kafka, rabbit=rabbit, events=3_000, seed=5
        ) as shop:
            await asyncio.to_thread(rabbit.flush_definitions)
            sending = asyncio.create_task(shop.send())
            await shop.shown(0.2)
            await asyncio.to_thread(cluster.master_of(slot_of(b"{user:user1}")).kill)
            await sending
            await shop.settled(kafka, rabbit)
            found = await shop.verdict()
            for program in shop.programs.values():
                assert program.running
    assert not found, summary(found)
