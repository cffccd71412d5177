"""Every process of the program is killed under load; what people see does not show it.

20,000 events over two brokers, a tenth of them duplicates, in local disorder; 200 apps connected; the consumer, one of
two gateway workers and the delivery worker are each killed twice, and come back as an init system brings them back. The
delivery worker is killed in the one moment in which nobody can say whether a mail went out: it comes twice.
"""

import asyncio
from pathlib import Path

import pytest

from channels.standins.script import Fault, Phase
from deploy.local import KafkaServer, RabbitServer
from tests.acceptance.checker import summary
from tests.acceptance.shop import LEASE_S, Shop, open_shop
from tests.acceptance.waiting import until

pytestmark = pytest.mark.timeout(480)


async def test_nothing_is_lost_or_double_while_every_role_is_killed_twice(
    tmp_path: Path, redis_url: str, kafka: KafkaServer, rabbit: RabbitServer, unique_name: str
) -> None:
    async with open_shop(
        tmp_path, unique_name, redis_url=redis_url, kafka=kafka, rabbit=rabbit, events=10_000, seed=2
    ) as shop:
        sending = asyncio.create_task(shop.send())
        for share in (0.1, 0.45):
            await shop.shown(share)
            shop.programs["consume"].kill_and_restart()
            await shop.shown(share + 0.1)
            shop.programs["serve"].workers()[0].kill()
            await shop.shown(share + 0.2)
            await _kill_while_a_mail_goes_out(shop)
        await sending
        await shop.settled(kafka, rabbit)
        found = await shop.verdict()
        twice = shop.mailed_twice()
    assert not found, summary(found)
    assert twice


async def _kill_while_a_mail_goes_out(shop: Shop) -> None:
    """Kill the delivery worker after the relay has taken a mail and before it has said so: it must come once more."""
    shop.relay.faults.add(Fault(Phase.DOT, delay_s=LEASE_S - 2))
    await until(lambda: shop.relay.faults.over, timeout_s=60, what=lambda: f"a mail goes out: {shop.progress}")
    shop.programs["deliver"].kill_and_restart()
