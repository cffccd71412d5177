"""`doorbell consume`: events from Kafka and RabbitMQ into Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from consumers.kafka import KafkaConsumer
from consumers.rabbitmq import RabbitConsumer
from consumers.readiness import Condition, State
from hub.api.health import Check
from hub.app import build_ingest_alone, open_stores
from hub.domain.errors import ConfigurationError, Mistake
from hub.roles.admin import admin_server, redis_check
from hub.roles.lifetime import Launch
from hub.roles.state import redis_of
from hub.roles.sweep import sweep_parked
from hub.service.intake.ingest import Ingest
from hub.settings import Settings

Consumer = KafkaConsumer | RabbitConsumer


async def consume(settings: Settings, stopping: asyncio.Event, *, launch: Launch) -> int:
    """Consume until `stopping`; then finish what was read, acknowledge what is durable and return.

    Raises ConfigurationError where no broker is configured.
    """
    async with redis_of(settings) as url, open_stores(settings, url) as stores:
        ingest = build_ingest_alone(settings, stores)
        consumers = build_consumers(settings, ingest)
        checks = {"redis": redis_check(stores.server), **{name: _check(each) for name, each in consumers.items()}}
        async with (
            admin_server(settings.admin_listen, checks, metrics_dir=launch.metrics_dir) as health,
            asyncio.TaskGroup() as tasks,
        ):
            running = [tasks.create_task(consumer.run()) for consumer in consumers.values()]
            sweeping = tasks.create_task(sweep_parked(ingest))
            await _first_of(stopping, running)
            health.drain()
            for consumer in consumers.values():
                consumer.stop()
            sweeping.cancel()
    return 0


def build_consumers(settings: Settings, ingest: Ingest) -> dict[str, Consumer]:
    """Return the consumers of every broker that is configured."""
    interval_s = settings.fsync_interval_s
    consumers: dict[str, Consumer] = {}
    if settings.kafka.bootstrap:
        consumers["kafka"] = KafkaConsumer(settings.kafka, ingest, fsync_interval_s=interval_s)
    if settings.rabbitmq.url:
        consumers["rabbitmq"] = RabbitConsumer(settings.rabbitmq, ingest, fsync_interval_s=interval_s)
    if not consumers:
        advice = "write the address of Kafka here, or that of RabbitMQ as rabbitmq.url: there is nothing to consume"
        raise ConfigurationError([Mistake("settings", "kafka.bootstrap", "''", advice)])
    return consumers


async def _first_of(stopping: asyncio.Event, running: Sequence[asyncio.Task[None]]) -> None:
    """Wait for the signal to stop, or for a consumer that ended by itself (its error ends the group)."""
    stop = asyncio.ensure_future(stopping.wait())
    await asyncio.wait([stop, *running], return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()


def _check(consumer: Consumer) -> Check:
    async def check() -> str | None:
        condition: Condition = consumer.condition
        return None if condition.state is State.CONNECTED else f"{condition.state.value}: {condition.reason}"

    return check
