"""Watches RabbitMQ from beside the consuming channel: how long the queue is, and whether the broker answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError

from consumers.rabbitmq_client import BrokerLost, asked
from consumers.readiness import Readiness
from consumers.timing import Timing
from hub.observe import CONSUMER_LAG


class RabbitWatch:
    """Looks at one queue every few seconds, on a channel of its own: a question that times out closes its channel."""

    def __init__(
        self,
        connection: AbstractConnection,
        queue: str,
        readiness: Readiness,
        *,
        timing: Timing,
        busy: Callable[[], bool],
        progressed_s: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._queue = queue
        self._readiness = readiness
        self._timing = timing
        self._busy = busy
        self._progressed_s = progressed_s
        self._channel: AbstractChannel | None = None

    async def run(self) -> None:
        """Watch until cancelled. Raises BrokerLost when messages wait and none comes."""
        while True:
            await self._look()
            await asyncio.sleep(self._timing.watch_every_s)

    async def _look(self) -> None:
        try:
            waiting = await self._waiting()
        except (BrokerLost, AMQPError) as error:
            if self._idle_s() < self._timing.request_timeout_s:
                # The answer only queues behind the deliveries of a full prefetch, on the same connection.
                return
            self._readiness.trouble("broker", f"RabbitMQ does not answer: {error}")
            return
        self._readiness.fine("broker")
        CONSUMER_LAG.labels(self._queue, "").set(waiting)
        if waiting > 0 and self._idle_s() > self._timing.stuck_after_s and not self._busy():
            raise BrokerLost(f"{waiting} messages wait, but none came for {self._idle_s():.0f} s")

    def _idle_s(self) -> float:
        return time.monotonic() - self._progressed_s()

    async def _waiting(self) -> int:
        timeout_s = self._timing.request_timeout_s
        if self._channel is None or self._channel.is_closed:
            self._channel = self._connection.channel(publisher_confirms=False)
            await asked(self._channel.initialize(timeout=timeout_s), timeout_s=timeout_s)
        queue = await asked(self._channel.declare_queue(self._queue, passive=True), timeout_s=timeout_s)
        return queue.declaration_result.message_count or 0
