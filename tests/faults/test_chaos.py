"""Faults at random under load, several at once; in the end everybody has been told everything, once.

Each seed is another story of kills, restarts and freezes. A failure names the seed: the same one tells it again, as far
as the machine's own timing lets it.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from deploy.local import KafkaServer, LocalService, RabbitServer, RedisServer
from tests.acceptance.checker import summary
from tests.acceptance.shop import Shop, open_shop
from tests.services import running

pytestmark = pytest.mark.timeout(400)
_STEPS = 8
_FREEZE_S = (1.0, 7.0)
Fault = Callable[[], Awaitable[None]]


@pytest.mark.parametrize("seed", [11, 12, 13])
async def test_whatever_goes_away_comes_back_and_nothing_is_lost_or_double(
    tmp_path: Path, kafka: KafkaServer, rabbit: RabbitServer, unique_name: str, seed: int
) -> None:
    dice = random.Random(seed)
    redis = RedisServer(tmp_path / "redis")
    with running(redis):
        async with open_shop(
            tmp_path, unique_name, redis_url=redis.url, kafka=kafka, rabbit=rabbit, events=6_000, seed=seed
        ) as shop:
            await asyncio.to_thread(rabbit.flush_definitions)
            sending = asyncio.create_task(shop.send())
            faults = _faults(shop, [redis, kafka, rabbit], dice)
            story = [dice.choice(sorted(faults)) for _ in range(_STEPS)]
            for step, name in enumerate(story):
                await shop.shown(0.9 * step / _STEPS, timeout_s=180)
                await faults[name]()
            await sending
            await shop.settled(kafka, rabbit, timeout_s=180)
            found = await shop.verdict()
    assert not found, f"seed {seed}, {', '.join(story)}: {summary(found)}"


def _faults(shop: Shop, services: list[LocalService], dice: random.Random) -> dict[str, Fault]:
    """Return what can go wrong, by name. Each is over when it returns."""

    async def killed(role: str) -> None:
        shop.programs[role].kill_and_restart()

    async def worker_killed() -> None:
        workers = shop.programs["serve"].workers()
        if workers:
            dice.choice(workers).kill()

    async def restarted(service: LocalService) -> None:
        if isinstance(service, RedisServer):
            await asyncio.to_thread(service.kill)
            await asyncio.to_thread(service.start)
        else:
            await asyncio.to_thread(service.restart)

    async def frozen(service: LocalService) -> None:
        service.pause()
        try:
            await asyncio.sleep(dice.uniform(*_FREEZE_S))
        finally:
            service.resume()

    faults: dict[str, Fault] = {"worker killed": worker_killed}
    for role in ("consume", "deliver"):
        faults[f"{role} killed"] = lambda role=role: killed(role)  # type: ignore[misc]
    for service in services:
        faults[f"{service.name} restarted"] = lambda service=service: restarted(service)  # type: ignore[misc]
        faults[f"{service.name} frozen"] = lambda service=service: frozen(service)  # type: ignore[misc]
    return faults
