"""The RabbitMQ consumer against a real broker that is well."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import aio_pika
import msgspec
import pytest
from structlog.testing import capture_logs

from consumers.rabbitmq import RabbitConsumer
from consumers.rabbitmq_subscription import RabbitSubscription
from consumers.rabbitmq_topology import dead_letters_name
from consumers.readiness import State
from hub.settings import RabbitMQ
from tests.integration.consumers.rabbit_desk import (
    QUICK,
    channel_to,
    consuming,
    publish,
    publish_events,
    publish_one_by_one,
    rabbit_settings,
    until_waiting,
    waiting_in,
)
from tests.integration.consumers.recording_ingest import (
    RecordingIngest,
    event_body,
    ids,
    looked_through,
    until,
)

POISON = [
    b"",
    b"not JSON",
    b"\xff",
    b"[" * 10_000,
    event_body("x").replace(b'"1.0"', b'"2.0"'),
    b'"' + b"x" * 2_000_000,
]


@pytest.fixture
def settings(rabbit_url: str, unique_name: str) -> RabbitMQ:
    return rabbit_settings(rabbit_url, unique_name)


async def test_processes_events_in_order_and_leaves_nothing_in_the_queue(settings: RabbitMQ) -> None:
    ingest, events = RecordingIngest(), ids("a", 500)
    async with consuming(settings, ingest) as consumer:
        await until(lambda: consumer.ready)
        await publish_events(settings, events)
        await until(lambda: len(ingest.seen) >= 500)
    assert ingest.seen == events
    assert await waiting_in(settings) == 0


async def test_poison_is_put_aside_and_its_neighbours_go_on(settings: RabbitMQ) -> None:
    mixed = [body for number, poison in enumerate(POISON) for body in (poison, event_body(f"a-{number}"))]
    ingest = RecordingIngest()
    async with consuming(settings, ingest) as consumer:
        await until(lambda: consumer.ready)
        await publish(settings, mixed)
        await until(lambda: len(ingest.seen) == len(POISON), within_s=5)
    assert [letter.body for letter in ingest.letters] == POISON
    assert ingest.letters[0].origin.place.startswith(f"{settings.queue}/")
    assert await waiting_in(settings) == 0


async def test_an_event_in_binary_mode_is_read(settings: RabbitMQ) -> None:
    attributes = {"specversion": "1.0", "id": "a", "source": "/shop", "type": "order.packed"}
    message = aio_pika.Message(
        b'{"order_id": "o1"}',
        headers={f"cloudEvents:{name}": value for name, value in attributes.items()},
        content_type="application/json",
    )
    ingest = RecordingIngest()
    async with consuming(settings, ingest) as consumer, channel_to(settings.url) as channel:
        await until(lambda: consumer.ready)
        await (await channel.get_exchange(settings.exchange)).publish(message, "order.packed")
        await until(lambda: ingest.seen == ["a"])


async def test_the_acknowledgement_trails_the_writes_by_the_fsync_interval(settings: RabbitMQ) -> None:
    ingest = RecordingIngest()
    await _cut_off(settings, ingest, fsync_interval_s=3_600, when=lambda: looked_through(ingest))
    assert await waiting_in(settings) == 10


async def test_after_the_fsync_interval_nothing_is_redelivered(
    settings: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest, acknowledged = RecordingIngest(), list[int]()
    acknowledge = RabbitSubscription._acknowledged_up_to

    async def acknowledge_and_note(self: RabbitSubscription, tag: int) -> None:
        await acknowledge(self, tag)
        acknowledged.append(tag)

    monkeypatch.setattr(RabbitSubscription, "_acknowledged_up_to", acknowledge_and_note)
    began_s = time.monotonic()
    await _cut_off(settings, ingest, fsync_interval_s=0.5, when=lambda: until(lambda: acknowledged[-1:] == [10]))
    assert time.monotonic() - began_s >= 0.5
    assert await waiting_in(settings) == 0


async def test_what_was_not_acknowledged_is_delivered_again(settings: RabbitMQ) -> None:
    ingest = RecordingIngest()
    await _cut_off(settings, ingest, fsync_interval_s=60, when=lambda: asyncio.sleep(0))
    async with consuming(settings, ingest):
        await until(lambda: len(ingest.seen) == 20)
    assert ingest.seen == ids("a", 10) * 2
    assert await waiting_in(settings) == 0


async def test_a_consumer_that_stops_under_load_leaves_the_order_as_it_was(settings: RabbitMQ) -> None:
    settings = msgspec.structs.replace(settings, batch_max_messages=20)
    ingest, events = RecordingIngest(delay_s=0.02), ids("a", 2_000)
    async with consuming(settings, ingest) as consumer:
        await until(lambda: consumer.ready)
        publishing = asyncio.create_task(publish_one_by_one(settings, events))
        await until(lambda: len(ingest.seen) >= 100)
    for _ in range(3):
        before = len(ingest.seen)
        async with consuming(settings, ingest):
            await until(lambda before=before: len(ingest.seen) >= before + 100)  # type: ignore[misc]
    await publishing
    async with consuming(settings, ingest):
        await until(lambda: len(set(ingest.seen)) == len(events))
    assert ingest.first_times() == events


async def test_a_restart_of_redis_before_the_acknowledgement_has_everything_processed_again_in_order(
    settings: RabbitMQ,
) -> None:
    ingest = RecordingIngest(dies_after=10)
    async with consuming(settings, ingest, fsync_interval_s=1.0) as consumer:
        await until(lambda: consumer.ready)
        await publish_events(settings, ids("a", 10))
        await until(lambda: len(ingest.seen) >= 10)
        ingest.delay_s = 0.05  # for each batch, and there may be one for each message
        await publish_events(settings, ids("b", 10))
        await until(lambda: ingest.seen.count("b-0009") >= 1 and ingest.seen.count("a-0009") == 2)
    assert ingest.first_times() == ids("a", 10) + ids("b", 10)
    assert await waiting_in(settings) == 0


async def test_while_redis_is_away_messages_are_held_and_then_processed(settings: RabbitMQ) -> None:
    ingest = RecordingIngest()
    async with consuming(settings, ingest) as consumer:
        await until(lambda: consumer.ready)
        ingest.down = True
        await publish_events(settings, ids("a", 10))
        await until(lambda: consumer.condition.state is State.DEGRADED)
        ingest.down = False
        await until(lambda: len(ingest.seen) == 10 and consumer.ready)
    assert ingest.repeated == set()
    assert await waiting_in(settings) == 0


async def test_no_more_than_the_prefetch_is_taken_while_redis_is_away(rabbit_url: str, unique_name: str) -> None:
    settings, ingest = rabbit_settings(rabbit_url, unique_name, prefetch=20), RecordingIngest()
    async with consuming(settings, ingest) as consumer:
        await until(lambda: consumer.ready)
        ingest.down = True
        await publish_events(settings, ids("a", 100))
        await until_waiting(settings, 80)
        ingest.down = False
        await until(lambda: len(ingest.seen) == 100)


async def test_a_queue_with_other_arguments_is_named_and_used_as_it_is(settings: RabbitMQ) -> None:
    ingest = RecordingIngest()
    async with channel_to(settings.url) as channel:
        await channel.declare_queue(settings.queue, durable=True, arguments={"x-queue-type": "classic"})
    with capture_logs() as lines:
        async with consuming(settings, ingest) as consumer:
            await until(lambda: consumer.ready)
            await publish_events(settings, ids("a", 3))
            await until(lambda: len(ingest.seen) == 3)
    said = next(line for line in lines if line["event"] == "topology_differs")
    assert settings.queue in said["what"]
    assert "inequivalent arg 'x-" in said["broker"]


async def test_a_message_that_no_consumer_survives_ends_among_the_broker_side_dead_letters(
    rabbit_url: str, unique_name: str
) -> None:
    settings, ingest = rabbit_settings(rabbit_url, unique_name, delivery_limit=2), RecordingIngest()
    await _cut_off(settings, ingest, fsync_interval_s=60, when=lambda: asyncio.sleep(0))
    for _ in range(2):
        await _crash_once(settings)
    await until_waiting(settings, 10, dead_letters_name(settings))


async def test_a_deleted_queue_is_made_again(settings: RabbitMQ) -> None:
    ingest = RecordingIngest()
    async with consuming(settings, ingest) as consumer:
        await until(lambda: consumer.ready)
        async with channel_to(settings.url) as channel:
            await channel.queue_delete(settings.queue)
        await until(lambda: not consumer.ready)
        await until(lambda: consumer.ready)
        await publish_events(settings, ids("a", 3))
        await until(lambda: len(ingest.seen) == 3)


async def _cut_off(
    settings: RabbitMQ, ingest: RecordingIngest, *, fsync_interval_s: float, when: Callable[[], Awaitable[None]]
) -> None:
    """Have a consumer process ten events and cut it off without its final acknowledgements."""
    consumer = RabbitConsumer(settings, ingest, fsync_interval_s=fsync_interval_s, timing=QUICK)
    running = asyncio.create_task(consumer.run())
    await until(lambda: consumer.ready)
    await publish_events(settings, ids("a", 10))
    await until(lambda: len(ingest.seen) == 10)
    await when()
    running.cancel()
    await asyncio.wait((running,))


async def _crash_once(settings: RabbitMQ) -> None:
    """Take all messages and go without a word."""
    async with channel_to(settings.url) as channel:
        queue = await channel.declare_queue(settings.queue, passive=True)
        kept: list[object] = []

        async def keep(message: object) -> None:
            kept.append(message)

        await queue.consume(keep)
        await until(lambda: len(kept) == 10)
