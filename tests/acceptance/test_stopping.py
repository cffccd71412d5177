"""SIGTERM of each role under load: it ends by itself, with 0, within its grace, and what it left is taken up again."""

import asyncio
import resource
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from deploy.local import KafkaServer, RabbitServer
from hub.settings import Settings
from loadtest.publishers import store_publisher
from loadtest.swarm import frames
from loadtest.swarm.client import Client
from loadtest.swarm.ledger import Tally
from tests.acceptance.checker import summary
from tests.acceptance.installation import Installation
from tests.acceptance.shop import Shop, open_shop
from tests.acceptance.waiting import until

pytestmark = pytest.mark.timeout(360)
_GRACE_S = 25.0
_CROWD = 5_000
_DRAIN_S = 4.0
_BROADCASTS = 5
_SHUTDOWN = 3001


class Guest(Client):
    """Who notes when it was sent away, and with which code."""

    sent_away: tuple[float, int] | None = None

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == frames.CLOSE:
            self.sent_away = time.monotonic(), int.from_bytes(payload[:2], "big")
        super()._frame(opcode, payload)


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


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Enough descriptors for a crowd in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * _CROWD + 1_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("descriptors")
async def test_a_gateway_with_5000_clients_sends_them_over_in_batches_and_loses_nothing(
    tmp_path: Path, redis_url: str, unique_name: str
) -> None:
    settings = {"GATEWAY__DRAIN_S": str(_DRAIN_S), "GATEWAY__ACCEPTS_PER_SECOND": "5000", "REDIS_URL": redis_url}
    store = Settings(redis_url=redis_url, key_prefix=f"{unique_name}:")
    tally = Tally()
    async with Installation(tmp_path, unique_name, **settings) as hub, store_publisher(store, redis_url) as publisher:
        old = await hub.started("serve")
        crowd = _crowd(hub, tally)
        try:
            await _all_come(crowd)
            hub.start("serve", DATA_DIR=str(tmp_path / "successor"))
            await hub.wait_ready("serve")
            stopping = asyncio.create_task(old.stop(timeout_s=_GRACE_S))
            for number in range(_BROADCASTS):
                share = number * _CROWD // _BROADCASTS
                await until(partial(_have_gone, crowd, share), timeout_s=_GRACE_S, what=f"{share} are sent away")
                await publisher.publish([("announcements", b"%d" % number)])
            assert await stopping == 0
            everything = _BROADCASTS * _CROWD
            await until(
                lambda: tally.received >= everything, timeout_s=60, what=lambda: f"all is told: {tally.counts()}"
            )
        finally:
            for guest in crowd:
                guest.close()
    assert [code for _, code in _sent_away(crowd)] == [_SHUTDOWN] * _CROWD
    (first_s, *_), *_, (last_s, _) = _sent_away(crowd)
    assert last_s - first_s > _DRAIN_S / 2
    assert (tally.mistakes, tally.received) == ({}, everything)


def _crowd(hub: Installation, tally: Tally) -> list[Guest]:
    address = ("127.0.0.1", hub.port)
    return [
        Guest(f"guest{number}", address=address, token=hub.token, tally=tally, on_publication=lambda *_: None)
        for number in range(_CROWD)
    ]


async def _all_come(crowd: Sequence[Guest]) -> None:
    turns = asyncio.Semaphore(100)

    async def come(guest: Guest) -> None:
        async with turns:
            await guest.open()
            await guest.connected.wait()

    async with asyncio.timeout(90):
        await asyncio.gather(*map(come, crowd))


def _have_gone(crowd: Sequence[Guest], count: int) -> bool:
    return len(_sent_away(crowd)) >= count


def _sent_away(crowd: Sequence[Guest]) -> list[tuple[float, int]]:
    """Return when each client was sent away and with which code, the first one first."""
    return sorted(guest.sent_away for guest in crowd if guest.sent_away is not None)
