"""SIGTERM of each role under load: it ends by itself, with 0, within its grace, and what it left is taken up again."""

import asyncio
from pathlib import Path

import pytest

from deploy.local import KafkaServer, RabbitServer
from tests.acceptance.checker import summary
from tests.acceptance.shop import Shop, open_shop

pytestmark = pytest.mark.timeout(360)
_GRACE_S = 25.0


async def test_every_role_stops_in_good_order_under_load_and_loses_nothing(
    tmp_path: Path, redis_url: str, kafka: KafkaServer, rabbit: RabbitServer, unique_name: str
) -> None:
    async with open_shop(
        tmp_path, unique_name, redis_url=redis_url, kafka=kafka, rabbit=rabbit, events=2_000, seed=4
    ) as shop:
        sending = asyncio.create_task(shop.send())
        await shop.shown(0.1)
        codes = await asyncio.gather(*(_stop_and_start(shop, role) for role in shop.programs))
        await sending
        await shop.settled(kafka, rabbit)
        found = await shop.verdict()
        again = await shop.begun_twice()
    assert codes == [0, 0, 0]
    assert again == set()
    assert not found, summary(found)


async def _stop_and_start(shop: Shop, role: str) -> int:
    program = shop.programs[role]
    code = await program.stop(timeout_s=_GRACE_S)
    assert program.orphans() == []
    program.start()
    return code
