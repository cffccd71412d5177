import asyncio
from collections.abc import Sequence

import pytest

from hub.domain.ids import Epoch, Topic
from hub.domain.topics import Namespaces, Position
from hub.gateway.directory import Directory
from hub.gateway.positions import PositionCheck
from hub.gateway.recovery import Recovery
from hub.gateway.subscriptions import Subscription
from hub.gateway.tally import Tally
from tests.unit.gateway.stream import Client, Stream
from tests.unit.gateway.test_directory import Wires

INTERVAL_S = 0.3
AN_HOUR_S = 3_600.0
SETTLE_S = 0.02


class Watched(Stream):
    """A stream that notes when it was asked, and for how many topics."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[float, int]] = []
        self.enough = asyncio.Event()
        self.wanted = 0

    async def positions(self, topics: Sequence[Topic]) -> list[Position]:
        self.asked.append((asyncio.get_running_loop().time(), len(topics)))
        if sum(count for _, count in self.asked) >= self.wanted:
            self.enough.set()
        return await super().positions(topics)


class Subject:
    """A check of some topics, each with a subscriber that is level with the stream."""

    def __init__(self, *, interval_s: float, topics: int = 250) -> None:
        self.stream, self.tally = Watched(), Tally()
        directory = Directory(Wires(), Namespaces(), channel_of=str)
        for name in (Topic(f"order:{number}") for number in range(topics)):
            topic = directory.pin([name])[name]
            topic.heard_of(Position(Epoch("e1"), 0))
            topic.add(Subscription(Client(), topic, offset=0, server_side=True))
        recovery = Recovery(self.stream, self.tally)
        self.check = PositionCheck(directory, self.stream, recovery, self.tally, interval_s=interval_s)

    async def run_until(self, topics: int) -> None:
        """Run until so many topics have been asked for."""
        self.stream.wanted = topics
        running = asyncio.create_task(self.check.run())
        async with asyncio.timeout(10):
            await self.stream.enough.wait()
        running.cancel()


async def test_the_checks_of_many_topics_are_spread_over_the_interval() -> None:
    subject = Subject(interval_s=INTERVAL_S)
    began_s = asyncio.get_running_loop().time()
    await subject.check.check()
    waits_s = [at_s - began_s for at_s, _ in subject.stream.asked]
    assert [count for _, count in subject.stream.asked] == [100, 100, 50]
    assert all(wait_s >= 0.95 * INTERVAL_S * part / 3 for part, wait_s in enumerate(waits_s, start=1))


async def test_the_next_round_of_checks_follows_at_once() -> None:
    subject = Subject(interval_s=0.03)
    await subject.run_until(topics=500)
    assert [count for _, count in subject.stream.asked] == [100, 100, 50, 100, 100, 50]


async def test_after_a_gap_all_topics_are_checked_without_waiting() -> None:
    subject = Subject(interval_s=AN_HOUR_S)
    subject.check.gap()
    await subject.run_until(topics=250)
    assert [count for _, count in subject.stream.asked] == [100, 100, 50]


async def test_a_gap_ends_the_wait_for_the_next_check() -> None:
    subject = Subject(interval_s=AN_HOUR_S)
    asyncio.get_running_loop().call_later(0.01, subject.check.gap)
    await subject.run_until(topics=250)
    assert [count for _, count in subject.stream.asked] == [100, 100, 50]


@pytest.mark.parametrize("arrives", [True, False])
async def test_only_what_has_not_arrived_after_a_moment_is_lost(
    monkeypatch: pytest.MonkeyPatch, *, arrives: bool
) -> None:
    monkeypatch.setattr("hub.gateway.positions._SETTLE_S", SETTLE_S)
    # Asked for all at once: nothing comes between the answer and what arrives then.
    subject = Subject(interval_s=0.01, topics=100)
    subject.stream.offset = 1
    await subject.check.check()
    if arrives:
        for topic in subject.check._directory:
            topic.heard_of(Position(Epoch("e1"), 1))
    # Timers run in order: this one after those of the check.
    await asyncio.sleep(SETTLE_S)
    assert subject.tally.gaps["check"] == (0 if arrives else 100)
