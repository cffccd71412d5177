"""The RabbitMQ consumer while the broker comes and goes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.rabbitmq_subscription import RabbitSubscription
from consumers.readiness import State
from deploy.local import RabbitServer
from hub.settings import RabbitMQ
from tests.integration.consumers.rabbit_desk import QUICK, consuming, publish_events, rabbit_settings, waiting_in
from tests.integration.consumers.recording_ingest import RecordingIngest, ids, until
from tests.services import running


@pytest.fixture(scope="module")
def own_rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    with running(RabbitServer(tmp_path_factory.mktemp("rabbitmq"))) as server:
        yield server


@pytest.fixture
def settings(own_rabbit: RabbitServer, unique_name: str) -> RabbitMQ:
    return rabbit_settings(own_rabbit.url, unique_name)


async def test_a_broker_killed_and_restarted_in_the_middle_loses_nothing(
    own_rabbit: RabbitServer, settings: RabbitMQ
) -> None:
    ingest = RecordingIngest(delay_s=0.05)
    async with consuming(settings, ingest, fsync_interval_s=1.0) as consumer:
        await until(lambda: consumer.ready)
        await asyncio.to_thread(own_rabbit.flush_definitions)
        await publish_events(settings, ids("a", 200))
        await until(lambda: len(ingest.seen) > 0)
        await asyncio.to_thread(own_rabbit.kill)
        await until(lambda: consumer.condition.state is State.CONNECTING)
        await asyncio.to_thread(own_rabbit.start)
        await until(lambda: consumer.ready)
        await publish_events(settings, ids("b", 50))
        await until(lambda: len(set(ingest.seen)) == 250)
    assert ingest.first_times() == ids("a", 200) + ids("b", 50)
    assert await waiting_in(settings) == 0


async def test_a_broker_that_hangs_for_ten_seconds_is_noticed_and_waited_for(
    own_rabbit: RabbitServer, settings: RabbitMQ
) -> None:
    ingest = RecordingIngest()
    async with consuming(settings, ingest) as consumer:
        await until(lambda: consumer.ready)
        await publish_events(settings, ids("a", 50))
        await until(lambda: len(ingest.seen) == 50)
        own_rabbit.pause()
        await until(lambda: not consumer.ready)
        await asyncio.sleep(7)
        own_rabbit.resume()
        await until(lambda: consumer.ready)
        await publish_events(settings, ids("b", 50))
        await until(lambda: len(set(ingest.seen)) == 100)
    assert await waiting_in(settings) == 0


async def test_a_broker_absent_at_the_start_is_waited_for(tmp_path: Path, unique_name: str) -> None:
    server = RabbitServer(tmp_path / "rabbitmq")
    settings, ingest = rabbit_settings(server.url, unique_name), RecordingIngest()
    async with consuming(settings, ingest) as consumer:
        await until(lambda: bool(consumer.condition.reason))
        assert consumer.condition.state is State.CONNECTING
        with running(server):
            await until(lambda: consumer.ready)
            await publish_events(settings, ids("a", 10))
            await until(lambda: len(ingest.seen) == 10)
            # While the broker is still there.
            consumer.stop()
            await until(lambda: consumer.condition.state is State.STOPPED)


async def test_a_channel_error_restarts_the_channel_and_not_the_connection(
    own_rabbit: RabbitServer, settings: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest = RecordingIngest()
    subscriptions: list[RabbitSubscription] = []
    consume = RabbitSubscription.consume

    async def consume_and_remember(self: RabbitSubscription) -> None:
        subscriptions.append(self)
        await consume(self)

    monkeypatch.setattr(RabbitSubscription, "consume", consume_and_remember)
    async with consuming(settings, ingest) as consumer:
        await until(lambda: consumer.ready)
        channel = subscriptions[0]._channel
        await channel.basic_ack(4711)
        await until(lambda: len(subscriptions) == 2 and consumer.ready)
        assert subscriptions[1]._channel.connection is channel.connection
        await publish_events(settings, ids("a", 10))
        await until(lambda: len(ingest.seen) == 10)
    assert await waiting_in(settings) == 0


async def test_a_stop_ends_in_time_although_the_broker_hangs(own_rabbit: RabbitServer, settings: RabbitMQ) -> None:
    ingest = RecordingIngest()
    async with consuming(settings, ingest, timing=QUICK) as consumer:
        await until(lambda: consumer.ready)
        own_rabbit.pause()
        consumer.stop()
        try:
            await until(lambda: consumer.condition.state is State.STOPPED, within_s=20)
        finally:
            own_rabbit.resume()
