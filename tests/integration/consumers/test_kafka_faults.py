"""The Kafka consumer while brokers and members come and go."""

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from consumers.kafka import KafkaConsumer
from consumers.readiness import State
from deploy.local import KafkaServer
from tests.integration.consumers.kafka_desk import (
    QUICK,
    committed,
    consuming,
    kafka_settings,
    make_topic,
    produce_events,
    until_committed,
)
from tests.integration.consumers.recording_ingest import RecordingIngest, by_prefix, ids, until
from tests.services import KAFKA_JARS, running


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    with running(KafkaServer(tmp_path / "kafka", library=KAFKA_JARS)) as server:
        yield server


async def test_a_broker_killed_and_restarted_in_the_middle_loses_nothing(
    own_kafka: KafkaServer, unique_name: str
) -> None:
    await make_topic(own_kafka.bootstrap, unique_name)
    await produce_events(own_kafka.bootstrap, unique_name, ids("a", 100))
    ingest = RecordingIngest()
    async with consuming(kafka_settings(own_kafka.bootstrap, unique_name), ingest) as consumer:
        await until(lambda: len(ingest.seen) >= 50)
        await asyncio.to_thread(own_kafka.kill)
        await until(lambda: consumer.condition.state is not State.CONNECTED)
        await asyncio.to_thread(own_kafka.start)
        await produce_events(own_kafka.bootstrap, unique_name, ids("b", 100))
        await until(lambda: len(set(ingest.seen)) == 200, within_s=15)
        await until(lambda: consumer.ready)
    assert by_prefix(ingest.first_times()) == {"a": ids("a", 100), "b": ids("b", 100)}
    assert await committed(own_kafka.bootstrap, unique_name) == 200


async def test_a_broker_that_hangs_for_ten_seconds_is_noticed_and_waited_for(
    own_kafka: KafkaServer, unique_name: str
) -> None:
    await make_topic(own_kafka.bootstrap, unique_name)
    await produce_events(own_kafka.bootstrap, unique_name, ids("a", 50))
    ingest = RecordingIngest()
    timing = dataclasses.replace(QUICK, request_timeout_s=1.0)
    async with consuming(kafka_settings(own_kafka.bootstrap, unique_name), ingest, timing=timing) as consumer:
        await until(lambda: len(ingest.seen) == 50)
        own_kafka.pause()
        await until(lambda: consumer.condition.state is State.DEGRADED)
        await asyncio.sleep(8)
        own_kafka.resume()
        await produce_events(own_kafka.bootstrap, unique_name, ids("b", 50))
        await until(lambda: len(set(ingest.seen)) == 100 and consumer.ready)
    assert await committed(own_kafka.bootstrap, unique_name) == 100


async def test_nothing_goes_on_that_a_broker_did_not_let_end(own_kafka: KafkaServer, unique_name: str) -> None:
    await make_topic(own_kafka.bootstrap, unique_name)
    await produce_events(own_kafka.bootstrap, unique_name, ids("a", 10))
    ingest, timing = RecordingIngest(), dataclasses.replace(QUICK, request_timeout_s=0.5)
    async with consuming(kafka_settings(own_kafka.bootstrap, unique_name), ingest, timing=timing):
        await until(lambda: len(ingest.seen) == 10)
        own_kafka.pause()
    assert connections_to(own_kafka.port) > 0
    own_kafka.resume()
    await until(lambda: connections_to(own_kafka.port) == 0)


def connections_to(port: int) -> int:
    connections = psutil.Process().net_connections("tcp")
    return sum(getattr(each.raddr, "port", None) == port for each in connections)


async def test_a_broker_absent_at_the_start_is_waited_for(tmp_path: Path, unique_name: str) -> None:
    server = KafkaServer(tmp_path / "kafka", library=KAFKA_JARS)
    ingest = RecordingIngest()
    async with consuming(kafka_settings(server.bootstrap, unique_name), ingest) as consumer:
        await until(lambda: bool(consumer.condition.reason))
        assert consumer.condition.state is State.CONNECTING
        with running(server):
            await make_topic(server.bootstrap, unique_name)
            await produce_events(server.bootstrap, unique_name, ids("a", 10))
            await until(lambda: len(ingest.seen) == 10 and consumer.ready)
            # While the broker is still there.
            consumer.stop()
            await until(lambda: consumer.condition.state is State.STOPPED)


async def test_members_that_come_and_go_lose_nothing_and_keep_the_order(kafka_bootstrap: str, unique_name: str) -> None:
    await make_topic(kafka_bootstrap, unique_name, partitions=4)
    settings = kafka_settings(kafka_bootstrap, unique_name)
    ingest = RecordingIngest(delay_s=0.1)
    settings = msgspec.structs.replace(settings, batch_max_records=20)
    events = [event for few in zip(*(ids(key, 100) for key in "abcdef"), strict=True) for event in few]
    async with consuming(settings, ingest):
        await until(lambda: True)
        producing = asyncio.create_task(produce_events(kafka_bootstrap, unique_name, events))
        await until(lambda: len(ingest.seen) > 100)
        for _ in range(2):
            before = len(ingest.seen)
            async with consuming(settings, ingest) as other:
                await until(lambda: other.ready)
                await until(lambda before=before: len(ingest.seen) > before + 40 or len(set(ingest.seen)) == 600)  # type: ignore[misc]
        await producing
        await until(lambda: len(set(ingest.seen)) == 600)
        # Not only written: a stop in the middle of a rebalance rightly leaves the last of them to the next member.
        await until_committed(kafka_bootstrap, unique_name, 600)
    assert by_prefix(ingest.first_times()) == {key: ids(key, 100) for key in "abcdef"}


async def test_a_member_cut_off_before_its_commit_has_its_events_read_again(
    kafka_bootstrap: str, unique_name: str
) -> None:
    await make_topic(kafka_bootstrap, unique_name)
    settings, ingest = kafka_settings(kafka_bootstrap, unique_name), RecordingIngest()
    await produce_events(kafka_bootstrap, unique_name, ids("a", 30))
    cut_off = asyncio.create_task(KafkaConsumer(settings, ingest, fsync_interval_s=60, timing=QUICK).run())
    await until(lambda: len(ingest.seen) == 30)
    cut_off.cancel()
    await asyncio.wait((cut_off,))
    async with consuming(settings, ingest):
        await until(lambda: len(ingest.seen) == 60)
    assert await committed(kafka_bootstrap, unique_name) == 30


async def test_a_client_that_stops_giving_records_is_replaced(
    kafka_bootstrap: str, unique_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_topic(kafka_bootstrap, unique_name)
    ingest, timing = RecordingIngest(), dataclasses.replace(QUICK, stuck_after_s=1.0)
    async with consuming(kafka_settings(kafka_bootstrap, unique_name), ingest, timing=timing) as consumer:
        await produce_events(kafka_bootstrap, unique_name, ids("a", 1))
        await until(lambda: len(ingest.seen) == 1)
        asked_in_vain: list[object] = []

        async def nothing(*asked: object, **__: object) -> dict[object, object]:
            asked_in_vain.append(asked)
            await asyncio.sleep(0.2)
            return {}

        with monkeypatch.context() as patch:
            patch.setattr("aiokafka.consumer.fetcher.Fetcher.fetched_records", nothing)
            await until(lambda: bool(asked_in_vain))
            await produce_events(kafka_bootstrap, unique_name, ids("b", 10))
            await until(lambda: "records behind" in consumer.condition.reason)
        await until(lambda: set(ids("b", 10)) <= set(ingest.seen) and consumer.ready)
