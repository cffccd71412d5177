"""What a test does at the other end of RabbitMQ: publish, and look at queues."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel

from consumers.rabbitmq import RabbitConsumer
from consumers.timing import Timing
from hub.settings import RabbitMQ
from tests.integration.consumers.recording_ingest import RecordingIngest, event_body

QUICK = Timing(
    acknowledge_every_s=0.05,
    watch_every_s=0.3,
    request_timeout_s=3.0,
    connect_timeout_s=5.0,
    stop_s=5.0,
    backoff_first_s=0.1,
    backoff_max_s=0.5,
)


def rabbit_settings(url: str, name: str, *, prefetch: int = 1000, delivery_limit: int = 20) -> RabbitMQ:
    return RabbitMQ(url=url, exchange=name, queue=f"{name}.events", prefetch=prefetch, delivery_limit=delivery_limit)


@asynccontextmanager
async def channel_to(url: str) -> AsyncIterator[AbstractChannel]:
    connection = await aio_pika.connect(url, timeout=10)
    async with connection:
        yield await connection.channel(on_return_raises=True)


async def publish(settings: RabbitMQ, bodies: Iterable[bytes]) -> None:
    """Publish persistent messages and wait for the broker's confirmations."""
    async with channel_to(settings.url) as channel:
        exchange = await channel.get_exchange(settings.exchange)
        messages = (
            aio_pika.Message(body, delivery_mode=2, content_type="application/cloudevents+json") for body in bodies
        )
        await asyncio.gather(*(exchange.publish(message, "order.packed") for message in messages))


async def publish_events(settings: RabbitMQ, events: Iterable[str]) -> None:
    await publish(settings, (event_body(event) for event in events))


async def publish_one_by_one(settings: RabbitMQ, events: Iterable[str]) -> None:
    """Publish good events in a steady stream, each when the one before has been confirmed."""
    async with channel_to(settings.url) as channel:
        exchange = await channel.get_exchange(settings.exchange)
        for event in events:
            message = aio_pika.Message(event_body(event), delivery_mode=2, content_type="application/cloudevents+json")
            await exchange.publish(message, "order.packed")


async def waiting_in(settings: RabbitMQ, queue: str = "") -> int:
    """How many messages are ready in a queue, by default that of the events."""
    async with channel_to(settings.url) as channel:
        found = await channel.declare_queue(queue or settings.queue, passive=True)
        return found.declaration_result.message_count or 0


async def until_waiting(settings: RabbitMQ, count: int, queue: str = "") -> None:
    """Wait until exactly so many messages are ready in a queue, by default that of the events."""
    async with asyncio.timeout(30):
        while await waiting_in(settings, queue) != count:  # noqa: ASYNC110 - the broker sets no event
            await asyncio.sleep(0.05)


@asynccontextmanager
async def consuming(
    settings: RabbitMQ, ingest: RecordingIngest, *, fsync_interval_s: float = 0.2, timing: Timing = QUICK
) -> AsyncIterator[RabbitConsumer]:
    """Run a consumer for a `with` block, then stop it in good order."""
    consumer = RabbitConsumer(settings, ingest, fsync_interval_s=fsync_interval_s, timing=timing)
    running = asyncio.create_task(consumer.run())
    try:
        yield consumer
        consumer.stop()
        async with asyncio.timeout(20):
            await running
    finally:
        running.cancel()
        await asyncio.wait((running,))
