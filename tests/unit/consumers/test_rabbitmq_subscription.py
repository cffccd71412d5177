"""One life of a channel against a broker that counts: it knows which tags are out, and refuses to hear of one twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from consumers.intake import Intake
from consumers.rabbitmq_subscription import RabbitSubscription
from consumers.readiness import Readiness
from consumers.timing import Timing
from tests.unit.consumers.fakes import NOW_MS, FakeIngest, good


@dataclass
class CountingChannel:
    """RabbitMQ's own rule: an acknowledgement names a delivery that is out, and covers all before it."""

    out: list[int] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)

    async def basic_consume(
        self, queue: str, callback: Callable[[DeliveredMessage], Awaitable[None]]
    ) -> Basic.ConsumeOk:
        self._deliver = callback
        return Basic.ConsumeOk("tag")

    async def basic_ack(self, tag: int, *, multiple: bool) -> None:
        assert tag in self.out, f"PRECONDITION_FAILED - unknown delivery tag {tag}"
        self.out = [other for other in self.out if other > tag]
        self.acknowledged.append(tag)

    async def deliver(self, tag: int, body: bytes) -> None:
        self.out.append(tag)
        delivery = Basic.Deliver(consumer_tag="tag", delivery_tag=tag, exchange="x", routing_key="order.packed")
        await self._deliver(DeliveredMessage(delivery=delivery, header=ContentHeader(), body=body, channel=None))  # type: ignore[arg-type]


@pytest.fixture
def channel() -> CountingChannel:
    return CountingChannel()


@pytest.fixture
def ingest() -> FakeIngest:
    return FakeIngest()


@asynccontextmanager
async def reading(
    channel: CountingChannel, ingest: FakeIngest, *, fsync_interval_s: float = 0.0
) -> AsyncIterator[RabbitSubscription]:
    """Have a subscription read for a `with` block; acknowledging is left to the test."""
    subscription = RabbitSubscription(
        channel,  # type: ignore[arg-type]
        "events",
        Intake(ingest, Readiness("rabbitmq")),
        fsync_interval_s=fsync_interval_s,
        batch_max_messages=2,
        timing=Timing(),
        clock_ms=lambda: NOW_MS,
    )
    await subscription.consume()
    stopping = asyncio.Event()
    task = asyncio.create_task(subscription.read(stopping))
    yield subscription
    task.cancel()
    await asyncio.wait((task,))


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not reached():  # noqa: ASYNC110 - one turn of the event loop after the other
            await asyncio.sleep(0)


async def test_what_arrives_while_a_replay_begins_goes_behind_it(channel: CountingChannel, ingest: FakeIngest) -> None:
    async with reading(channel, ingest) as subscription:
        for tag, name in enumerate("abc", start=1):
            await channel.deliver(tag, good(name))
        await until(lambda: len(ingest.processed) == 3 and subscription._in_hand is None)
        ingest.life = "second"
        await subscription._settle()
        await channel.deliver(4, good("d"))
        await until(lambda: len(ingest.processed) >= 7 and subscription._in_hand is None)
        await subscription._settle()
    assert ingest.processed == [*"abc", *"abc", "d"]
    assert channel.acknowledged == [4]


async def test_a_replay_begins_at_once_although_nothing_arrives(channel: CountingChannel, ingest: FakeIngest) -> None:
    async with reading(channel, ingest) as subscription:
        await channel.deliver(1, good("a"))
        await until(lambda: ingest.processed == ["a"] and subscription._in_hand is None)
        ingest.life = "second"
        await subscription._settle()
        for _ in range(20):
            await asyncio.sleep(0)
    assert ingest.processed == ["a", "a"]


async def test_nothing_written_after_a_replay_began_is_acknowledged_before_what_is_replayed(
    channel: CountingChannel, ingest: FakeIngest
) -> None:
    async with reading(channel, ingest, fsync_interval_s=3_600) as subscription:
        await channel.deliver(1, good("a"))
        await until(lambda: ingest.processed == ["a"] and subscription._in_hand is None)
        ingest.life = "second"
        await channel.deliver(2, good("b"))
        await until(lambda: subscription._in_hand is not None)
        await subscription._settle()
        await until(lambda: len(ingest.processed) >= 4 and subscription._in_hand is None)
        tags = [entry.mark.tag for entry in subscription._ledger._entries]
    assert ingest.processed == ["a", "b", "a", "b"]
    assert tags == [1, 2]
    assert channel.acknowledged == []
