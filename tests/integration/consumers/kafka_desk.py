"""What a test does at the other end of Kafka: make topics, produce, look at the group's offsets."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from consumers.kafka import KafkaConsumer
from consumers.timing import Timing
from hub.settings import Kafka
from tests.integration.consumers.recording_ingest import RecordingIngest, event_body

QUICK = Timing(
    acknowledge_every_s=0.05,
    watch_every_s=0.3,
    look_for_topics_every_s=0.5,
    hold_poll_every_s=0.3,
    stop_s=5.0,
    backoff_first_s=0.2,
    backoff_max_s=1.0,
)


def kafka_settings(bootstrap: str, name: str, *, topics: Sequence[str] = (), dead_letter_topic: str = "") -> Kafka:
    settings = Kafka(bootstrap=bootstrap, topics=tuple(topics) or (name,), group=name)
    return msgspec.structs.replace(settings, dead_letter_topic=dead_letter_topic)


async def make_topic(bootstrap: str, *names: str, partitions: int = 3) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1) for name in names])
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str, bodies: Iterable[tuple[str, bytes]]) -> None:
    """Send records, given as key and value, and wait until the broker has them all."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", request_timeout_ms=20_000)
    await producer.start()
    try:
        sent = [await producer.send(topic, key=key.encode(), value=value) for key, value in bodies]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def produce_events(bootstrap: str, topic: str, events: Iterable[str]) -> None:
    """Send good events whose key is their id's prefix."""
    keyed = ((event.rpartition("-")[0], event) for event in events)
    await produce(bootstrap, topic, ((key, event_body(event, order=key)) for key, event in keyed))


async def committed(bootstrap: str, group: str) -> int:
    """The sum of the group's committed offsets: how many records were acknowledged, in a test's own topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        offsets: dict[TopicPartition, object] = await admin.list_consumer_group_offsets(group)
        return sum(max(0, getattr(offset, "offset", 0)) for offset in offsets.values())
    finally:
        await admin.close()


async def until_committed(bootstrap: str, group: str, count: int) -> None:
    """Wait until so many records were acknowledged."""
    async with asyncio.timeout(30):
        while await committed(bootstrap, group) != count:  # noqa: ASYNC110 - the broker sets no event
            await asyncio.sleep(0.05)


@asynccontextmanager
async def consuming(
    settings: Kafka, ingest: RecordingIngest, *, fsync_interval_s: float = 0.2, timing: Timing = QUICK
) -> AsyncIterator[KafkaConsumer]:
    """Run a consumer for a `with` block, then stop it in good order."""
    consumer = KafkaConsumer(settings, ingest, fsync_interval_s=fsync_interval_s, timing=timing)
    running = asyncio.create_task(consumer.run())
    try:
        yield consumer
        consumer.stop()
        async with asyncio.timeout(20):
            await running
    finally:
        running.cancel()
        await asyncio.wait((running,))
