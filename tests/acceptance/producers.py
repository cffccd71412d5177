"""A shop's backends at their brokers: each event is sent until the broker has taken it, whatever happens to it."""

import asyncio
import contextlib
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import aio_pika
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from deploy.local import RabbitServer
from deploy.local.programs import RABBITMQCTL
from tests.acceptance.journeys import Message, Plan

_CONFIRM_S = 5.0
_RETRY_S = 0.2
_STRUCTURED = "application/cloudevents+json"


class Backend:
    """What both have in common: `acknowledged` are the ids of the events that a broker has taken."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self.sent = 0
        """Messages taken, duplicates included."""

    async def send(self, message: Message) -> None:
        """Return when the broker has it: at least once."""
        raise NotImplementedError

    async def send_wave(self, wave: Sequence[Message]) -> None:
        """Send messages that do not depend on each other."""
        await asyncio.gather(*(self.send(message) for message in wave))

    async def send_plan(self, plan: Plan, broker: str, *, lanes: int = 4) -> None:
        """Send all that is for this broker; events of one order one after the other."""
        cohorts = iter(list(plan.waves(broker)))

        async def work() -> None:
            for cohort in cohorts:
                for wave in cohort:
                    await self.send_wave(wave)

        await asyncio.gather(*(work() for _ in range(lanes)))
        for start in range(0, len(plan.strays[broker]), 50):
            await self.send_wave(plan.strays[broker][start : start + 50])

    def _taken(self, message: Message) -> None:
        self.acknowledged.add(message.id)
        self.sent += 1


class KafkaBackend(Backend):
    """Writes to topics named after the families. Half of the events go in binary mode."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        super().__init__()
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap, acks="all", request_timeout_ms=10_000, retry_backoff_ms=100
        )
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._producer is not None
        await self._producer.stop()

    async def send(self, message: Message) -> None:
        binary = len(message.id) % 2
        headers = [(f"ce_{name}", value.encode()) for name, value in message.attributes.items()] if binary else []
        headers.append(("content-type", b"application/json" if binary else _STRUCTURED.encode()))
        await self.send_raw(
            message.family, message.body if binary else message.structured, key=message.key, headers=headers
        )
        self._taken(message)

    async def send_raw(self, family: str, body: bytes | None, *, key: str, headers: list[tuple[str, bytes]]) -> None:
        """Send whatever it is."""
        assert self._producer is not None
        while True:
            try:
                await self._producer.send_and_wait(f"{self._prefix}-{family}", body, key=key.encode(), headers=headers)
            except KafkaError:
                await asyncio.sleep(_RETRY_S)
            else:
                return


async def make_topics(bootstrap: str, prefix: str, families: Sequence[str], *, partitions: int = 3) -> None:
    """Create the topics of a shop."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(f"{prefix}-{family}", partitions, 1) for family in families])
    finally:
        await admin.close()


async def is_consumed(bootstrap: str, group: str) -> bool:
    """Say whether the group has acknowledged everything there is in its topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        committed = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    # aiokafka leaks a CancelledError from a consumer that is stopped before it has asked anything.
    ends = await _ends(bootstrap, list(committed)) if committed else {}
    return bool(ends) and all(committed[partition].offset >= end for partition, end in ends.items())


async def _ends(bootstrap: str, partitions: list[Any]) -> dict[Any, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        ends: dict[Any, int] = await consumer.end_offsets(partitions)
        return ends
    finally:
        await consumer.stop()


async def is_empty(rabbit: RabbitServer, queue: str) -> bool:
    """Say whether a queue has no message, neither waiting nor delivered and not acknowledged."""
    # Over AMQP nobody tells how many are not acknowledged.
    command = [RABBITMQCTL.require(), "--quiet", "list_queues", "name", "messages"]
    done = await asyncio.to_thread(
        subprocess.run, command, env=rabbit._environment(), capture_output=True, text=True, timeout=60, check=True
    )
    counts = dict(line.split() for line in done.stdout.splitlines() if line.strip())
    return counts.get(queue) == "0"


class RabbitBackend(Backend):
    """Publishes to the exchange with confirms and reconnects by itself. Half of the events go in binary mode."""

    def __init__(self, url: str, exchange: str) -> None:
        super().__init__()
        self._url = url
        self._exchange_name = exchange
        self._connection: Any = None
        self._exchange: Any = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._opened()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._drop()

    async def send(self, message: Message) -> None:
        binary = len(message.id) % 2
        headers = {f"cloudEvents:{name}": value for name, value in message.attributes.items()} if binary else {}
        body = message.body if binary else message.structured
        content_type = "application/json" if binary else _STRUCTURED
        await self.send_raw(message.type, body, content_type=content_type, headers=headers)
        self._taken(message)

    async def send_raw(self, routing_key: str, body: bytes, *, content_type: str, headers: dict[str, str]) -> None:
        """Send whatever it is."""
        message = aio_pika.Message(body, delivery_mode=2, content_type=content_type, headers=dict(headers))
        while True:
            exchange = await self._opened()
            try:
                await exchange.publish(message, routing_key, timeout=_CONFIRM_S)
            except asyncio.CancelledError:
                # aio-pika raises it where the connection was lost under way, too.
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
            except (aio_pika.exceptions.AMQPError, OSError, TimeoutError, RuntimeError):
                pass
            except Exception as error:
                # aiormq raises one of no class of its own for what waited when a connection was closed.
                if type(error) is not Exception:
                    raise
            else:
                return
            await self._lost(exchange)

    async def _opened(self) -> Any:
        async with self._opening:
            while self._exchange is None:
                try:
                    self._connection = await aio_pika.connect(self._url, timeout=_CONFIRM_S)
                    channel = await self._connection.channel(on_return_raises=True)
                    self._exchange = await channel.get_exchange(self._exchange_name)
                except (aio_pika.exceptions.AMQPError, OSError, TimeoutError):
                    await self._drop()
                    await asyncio.sleep(_RETRY_S)
            return self._exchange

    async def _lost(self, exchange: Any) -> None:
        if self._exchange is exchange:
            self._exchange = None
            await self._drop()
        await asyncio.sleep(_RETRY_S)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(aio_pika.exceptions.AMQPError, OSError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(_CONFIRM_S):
                    await connection.close()
