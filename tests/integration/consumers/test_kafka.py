"""The Kafka consumer against a real broker that is well."""

import asyncio
import dataclasses
import time

import pytest
from aiokafka import AIOKafkaConsumer

from consumers.readiness import State
from tests.integration.consumers.kafka_desk import (
    QUICK,
    committed,
    consuming,
    kafka_settings,
    make_topic,
    produce,
    produce_events,
    until_committed,
)
from tests.integration.consumers.recording_ingest import RecordingIngest, by_prefix, event_body, ids, until

POISON = [
    b"",
    b"not JSON",
    b"\xff\xfe{}",
    b'{"specversion": "1.0", "id": "x", "id": "y"}',
    b"[" * 10_000,
    b'{"specversion": "1.0", "id": "x", "source": "/s", "type": "order.packed", "data": {"order_id": NaN}}',
    event_body("x").replace(b'"1.0"', b'"2.0"'),
    b'"' + b"x" * 900_000 + b'"',
]


@pytest.fixture
async def topic(kafka_bootstrap: str, unique_name: str) -> str:
    await make_topic(kafka_bootstrap, unique_name)
    return unique_name


async def test_processes_the_events_of_each_key_in_order_and_commits_them_all(kafka_bootstrap: str, topic: str) -> None:
    events = [event for few in zip(ids("a", 200), ids("b", 200), ids("c", 200), strict=True) for event in few]
    await produce_events(kafka_bootstrap, topic, events)
    ingest = RecordingIngest()
    async with consuming(kafka_settings(kafka_bootstrap, topic), ingest):
        await until(lambda: len(ingest.seen) >= 600)
    assert by_prefix(ingest.seen) == by_prefix(events)
    assert await committed(kafka_bootstrap, topic) == 600


async def test_poison_is_put_aside_and_its_neighbours_go_on(kafka_bootstrap: str, topic: str) -> None:
    mixed = [body for number, poison in enumerate(POISON) for body in (poison, event_body(f"a-{number}"))]
    await produce(kafka_bootstrap, topic, (("a", body) for body in mixed))
    ingest = RecordingIngest()
    async with consuming(kafka_settings(kafka_bootstrap, topic), ingest):
        await until(lambda: len(ingest.seen) == len(POISON), within_s=5)
    assert ingest.seen == [f"a-{number}" for number in range(len(POISON))]
    assert [letter.body for letter in ingest.letters] == POISON
    assert ingest.letters[1].origin.place.startswith(f"{topic}/")
    assert await committed(kafka_bootstrap, topic) == len(mixed)


async def test_an_event_that_breaks_processing_is_put_aside_and_its_neighbours_go_on(
    kafka_bootstrap: str, topic: str
) -> None:
    await produce_events(kafka_bootstrap, topic, ids("a", 50))
    ingest = RecordingIngest(poison=frozenset({"a-0013"}))
    async with consuming(kafka_settings(kafka_bootstrap, topic), ingest):
        await until(lambda: len(set(ingest.seen)) == 49)
    assert [letter.reason for letter in ingest.letters] == ["processing failed: LookupError"]
    assert await committed(kafka_bootstrap, topic) == 50


async def test_the_commit_trails_the_writes_by_the_fsync_interval(kafka_bootstrap: str, topic: str) -> None:
    await produce_events(kafka_bootstrap, topic, ids("a", 10))
    ingest = RecordingIngest()
    began_s = time.monotonic()
    async with consuming(kafka_settings(kafka_bootstrap, topic), ingest, fsync_interval_s=3.0):
        await until(lambda: len(ingest.seen) == 10)
        await until_committed(kafka_bootstrap, topic, 10)
        assert time.monotonic() - began_s >= 3.0


async def test_a_restart_of_redis_before_the_commit_has_everything_processed_again_in_order(
    kafka_bootstrap: str, topic: str
) -> None:
    await produce_events(kafka_bootstrap, topic, ids("a", 10))
    ingest = RecordingIngest(dies_after=10)
    async with consuming(kafka_settings(kafka_bootstrap, topic), ingest, fsync_interval_s=1.5):
        await until(lambda: len(ingest.seen) == 20)
    assert ingest.seen == ids("a", 10) * 2
    assert await committed(kafka_bootstrap, topic) == 10


async def test_a_restart_of_redis_while_a_batch_is_being_written_loses_none_before_it(
    kafka_bootstrap: str, topic: str
) -> None:
    await produce_events(kafka_bootstrap, topic, ids("a", 10))
    ingest = RecordingIngest()
    patient = dataclasses.replace(QUICK, stop_s=20.0)
    # The interval is longer than the second ten events take to come.
    async with consuming(kafka_settings(kafka_bootstrap, topic), ingest, fsync_interval_s=6.0, timing=patient):
        await until(lambda: len(ingest.seen) == 10)
        ingest.delay_s = 0.5
        await produce_events(kafka_bootstrap, topic, [f"a-1{number:03}" for number in range(10)])
        await until(lambda: ingest.in_hand > 0)
        ingest.life = "second-life"
        await until(lambda: len(set(ingest.seen)) == 20 and ingest.seen.count("a-0000") == 2)
    assert await committed(kafka_bootstrap, topic) == 20


async def test_while_redis_is_away_the_batch_is_held_and_the_membership_kept(kafka_bootstrap: str, topic: str) -> None:
    await produce_events(kafka_bootstrap, topic, ids("a", 10))
    ingest = RecordingIngest(down=True)
    async with consuming(kafka_settings(kafka_bootstrap, topic), ingest) as consumer:
        await until(lambda: consumer.condition.state is State.DEGRADED)
        await produce_events(kafka_bootstrap, topic, [f"a-1{number:03}" for number in range(10)])
        assert consumer.condition.reason == "Redis: refused"
        ingest.down = False
        await until(lambda: len(ingest.seen) == 20 and consumer.ready)
    assert ingest.seen == [*ids("a", 10), *(f"a-1{number:03}" for number in range(10))]
    assert await committed(kafka_bootstrap, topic) == 20


async def test_a_stop_while_redis_is_away_ends_in_time_and_commits_nothing(kafka_bootstrap: str, topic: str) -> None:
    await produce_events(kafka_bootstrap, topic, ids("a", 10))
    ingest = RecordingIngest(down=True)
    async with consuming(kafka_settings(kafka_bootstrap, topic), ingest) as consumer:
        await until(lambda: consumer.condition.state is State.DEGRADED)
    assert consumer.condition.state is State.STOPPED
    assert await committed(kafka_bootstrap, topic) == 0


async def test_a_missing_topic_is_named_and_the_others_are_read_until_it_is_there(
    kafka_bootstrap: str, topic: str
) -> None:
    late = f"{topic}-late"
    await produce_events(kafka_bootstrap, topic, ids("a", 10))
    ingest = RecordingIngest()
    settings = kafka_settings(kafka_bootstrap, topic, topics=[topic, late])
    async with consuming(settings, ingest) as consumer:
        await until(lambda: len(ingest.seen) == 10)
        assert consumer.condition.reason == f"Kafka has no topics named {late}"
        await make_topic(kafka_bootstrap, late)
        await produce_events(kafka_bootstrap, late, ids("b", 10))
        await until(lambda: set(ids("b", 10)) <= set(ingest.seen) and consumer.ready)


async def test_dead_letters_are_copied_to_their_topic(kafka_bootstrap: str, topic: str) -> None:
    letters = f"{topic}-letters"
    await make_topic(kafka_bootstrap, letters, partitions=1)
    await produce(kafka_bootstrap, topic, [("a", b"not JSON")])
    ingest = RecordingIngest()
    async with consuming(kafka_settings(kafka_bootstrap, topic, dead_letter_topic=letters), ingest):
        await until(lambda: len(ingest.letters) == 1)
        reader = AIOKafkaConsumer(letters, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest")
        async with reader:
            record = await asyncio.wait_for(reader.getone(), 10)
    assert record.value == b"not JSON"
    assert dict(record.headers)["doorbell-origin"] == str(ingest.letters[0].origin).encode()
