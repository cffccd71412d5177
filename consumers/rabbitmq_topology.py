"""What Doorbell needs in RabbitMQ: a topic exchange, a quorum queue bound to it, and a place for what goes round in it.

Doorbell puts aside what it cannot read by itself. The broker-side dead letters are for messages that no consumer lived
long enough to put aside: `x-delivery-limit` moves them out of the way, at least once.

What exists with other arguments is used as it is. To declare it again and again would close the channel every time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused
from pamqp.common import FieldTable

from consumers.rabbitmq_client import BrokerLost, asked
from hub.observe import logger
from hub.settings import RabbitMQ

_log = logger("consumers.rabbitmq")

Step = Callable[[AbstractChannel], Awaitable[object]]


def dead_letters_name(settings: RabbitMQ) -> str:
    """Return the name of the exchange and of the queue that take what exceeded the delivery limit."""
    return f"{settings.queue}.dead-letters"


def queue_arguments(settings: RabbitMQ) -> FieldTable:
    """Return the arguments of the queue of events."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": settings.delivery_limit,
        "x-dead-letter-exchange": dead_letters_name(settings),
        # Without both, a message on its way to the dead letters can be lost.
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


async def declare(connection: AbstractConnection, settings: RabbitMQ, *, timeout_s: float) -> None:
    """Make what is missing. Raises BrokerLost, also where something is neither there nor allowed to be made."""
    topology = _Topology(connection, settings, timeout_s=timeout_s)
    await topology.exchange(settings.exchange, ExchangeType.TOPIC)
    await topology.exchange(dead_letters_name(settings), ExchangeType.FANOUT)
    await topology.queue(dead_letters_name(settings), {"x-queue-type": "quorum"})
    await topology.queue(settings.queue, queue_arguments(settings))
    await topology.bind(dead_letters_name(settings), dead_letters_name(settings), "")
    for binding in settings.bindings:
        await topology.bind(settings.queue, settings.exchange, binding)


class _Topology:
    def __init__(self, connection: AbstractConnection, settings: RabbitMQ, *, timeout_s: float) -> None:
        self._connection = connection
        self._settings = settings
        self._timeout_s = timeout_s

    async def exchange(self, name: str, kind: ExchangeType) -> None:
        await self._ensure(
            f"exchange {name}",
            lambda channel: channel.declare_exchange(name, kind, durable=True),
            lambda channel: channel.declare_exchange(name, kind, passive=True),
        )

    async def queue(self, name: str, arguments: FieldTable) -> None:
        await self._ensure(
            f"queue {name}",
            lambda channel: channel.declare_queue(name, durable=True, arguments=arguments),
            lambda channel: channel.declare_queue(name, passive=True),
        )

    async def bind(self, queue: str, exchange: str, routing_key: str) -> None:
        async def bound(channel: AbstractChannel) -> None:
            found = await channel.declare_queue(queue, passive=True)
            await found.bind(exchange, routing_key)

        await self._ensure(
            f"binding {exchange} -> {queue} ({routing_key})",
            bound,
            lambda channel: channel.declare_queue(queue, passive=True),
        )

    async def _ensure(self, what: str, make: Step, look: Step) -> None:
        try:
            await self._on_own_channel(make)
        except (ChannelPreconditionFailed, ChannelAccessRefused) as error:
            # The broker's words name the argument, what it has and what was asked for.
            _log.error("topology_differs", what=what, broker=str(error), used="as it is")
            await self._look(what, look)

    async def _look(self, what: str, look: Step) -> None:
        try:
            await self._on_own_channel(look)
        except (ChannelNotFoundEntity, ChannelAccessRefused) as error:
            raise BrokerLost(f"{what} is not there and cannot be made: {error}") from error

    async def _on_own_channel(self, step: Step) -> None:
        # A refusal closes the channel it was given on.
        channel = self._connection.channel(publisher_confirms=False)
        await asked(channel.initialize(timeout=self._timeout_s), timeout_s=self._timeout_s)
        try:
            await asked(step(channel), timeout_s=self._timeout_s)
        finally:
            if not channel.is_closed:
                await asked(channel.close(), timeout_s=self._timeout_s)
