"""Events from RabbitMQ.

Guarantees: a message is acknowledged only when the effects of it and of every message before it on its channel are on
Redis' disk (`consumers.acknowledgement`); a message that is no event becomes a dead letter and holds up nobody. What is
delivered twice, after a crash, a lost connection or a restart of Redis, has its effects once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError
from aiormq.abc import AbstractChannel

from consumers import rabbitmq_topology
from consumers.backoff import Backoff
from consumers.intake import Intake
from consumers.ports import Ingest
from consumers.rabbitmq_client import BrokerLost, ChannelLost, asked, closed, connect
from consumers.rabbitmq_subscription import RabbitSubscription
from consumers.rabbitmq_watch import RabbitWatch
from consumers.readiness import Condition, Readiness, State
from consumers.timing import Timing
from hub.settings import RabbitMQ

_LONG_LIFE_S = 30.0
"""A connection or a channel that held for so long was a success, whatever ended it."""


class RabbitConsumer:
    """One consumer of the queue; start more processes to share the messages."""

    def __init__(
        self,
        settings: RabbitMQ,
        ingest: Ingest,
        *,
        fsync_interval_s: float,
        timing: Timing | None = None,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._settings = settings
        self._fsync_interval_s = fsync_interval_s
        self._timing = timing or Timing()
        self._clock_ms = clock_ms
        self._readiness = Readiness("rabbitmq")
        self._intake = Intake(ingest, self._readiness)
        self._stopping = asyncio.Event()

    @property
    def condition(self) -> Condition:
        """How it is doing, and why."""
        return self._readiness.condition

    @property
    def ready(self) -> bool:
        """Whether messages are read and processed right now."""
        return self._readiness.ready

    def stop(self) -> None:
        """Have `run` finish: the batch in hand done, what is safe on disk acknowledged, all else given back."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until `stop`, through every outage of RabbitMQ and Redis; ends at most 20 s after `stop`.

        Cancellation ends it at once; what is not yet acknowledged is delivered again to whoever comes next. Raises what
        the ingest raises beyond StoreUnavailable, once it is clear that a single event is not the reason.
        """
        backoff = Backoff(first_s=self._timing.backoff_first_s, max_s=self._timing.backoff_max_s)
        while not self._stopping.is_set():
            began_s = time.monotonic()
            try:
                await self._connection_life()
            except (AMQPError, BrokerLost) as error:
                self._readiness.enter(State.CONNECTING)
                self._readiness.trouble("broker", f"RabbitMQ: {error}")
            await self._wait_after(began_s, backoff)
        self._readiness.enter(State.STOPPED)

    async def _connection_life(self) -> None:
        connection = await connect(self._settings, timeout_s=self._timing.connect_timeout_s)
        try:
            backoff = Backoff(first_s=self._timing.backoff_first_s, max_s=self._timing.backoff_max_s)
            while not self._stopping.is_set():
                began_s = time.monotonic()
                await self._channel_life(connection)
                await self._wait_after(began_s, backoff)
        finally:
            await closed(connection, timeout_s=self._timing.request_timeout_s)

    async def _channel_life(self, connection: AbstractConnection) -> None:
        """Consume until the channel is lost; raises only where the connection is, too."""
        # While Redis is away messages are better kept by the broker.
        while await self._intake.read_generation() is None:
            await self._pause(self._timing.backoff_max_s)
            if self._stopping.is_set():
                return
        try:
            # Every time: the queue may have been deleted.
            await rabbitmq_topology.declare(connection, self._settings, timeout_s=self._timing.request_timeout_s)
            async with self._opened(connection) as channel:
                await self._serve(connection, channel)
        except* (AMQPError, BrokerLost) as errors:
            if _is_gone(connection):
                raise BrokerLost(_reasons(errors)) from errors
            self._readiness.trouble("channel", f"RabbitMQ closed the channel: {_reasons(errors)}")

    @asynccontextmanager
    async def _opened(self, connection: AbstractConnection) -> AsyncIterator[AbstractChannel]:
        timeout_s = self._timing.request_timeout_s
        channel = connection.channel(publisher_confirms=False)
        await asked(channel.initialize(timeout=timeout_s), timeout_s=timeout_s)
        try:
            await asked(channel.set_qos(prefetch_count=self._settings.prefetch), timeout_s=timeout_s)
            # aio-pika's own consuming makes two tasks and an object with a dozen fields for each message.
            yield await channel.get_underlay_channel()
        finally:
            if not (channel.is_closed or _is_gone(connection)):
                await asked(channel.close(), timeout_s=timeout_s)

    async def _serve(self, connection: AbstractConnection, channel: AbstractChannel) -> None:
        subscription = RabbitSubscription(
            channel,
            self._settings.queue,
            self._intake,
            fsync_interval_s=self._fsync_interval_s,
            batch_max_messages=self._settings.batch_max_messages,
            timing=self._timing,
            clock_ms=self._clock_ms,
        )
        watch = RabbitWatch(
            connection,
            self._settings.queue,
            self._readiness,
            timing=self._timing,
            busy=lambda: subscription.busy,
            progressed_s=lambda: subscription.progressed_s,
        )
        lost = _loss_of(channel)
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(_raise_at(lost)),
                group.create_task(subscription.acknowledge()),
                group.create_task(watch.run()),
            ]
            await subscription.consume()
            self._readiness.enter(State.CONNECTED)
            self._readiness.fine("channel")
            await subscription.read(self._stopping)
            # No basic.cancel: RabbitMQ would at once put back what is on its way to us, and later, with the channel's
            # end, what lies here unread - behind what was sent after it.
            await subscription.finish()
            for task in background:
                task.cancel()

    async def _wait_after(self, began_s: float, backoff: Backoff) -> None:
        if time.monotonic() - began_s > _LONG_LIFE_S:
            backoff.reset()
        await self._pause(backoff.next_s())

    async def _pause(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            return


def _is_gone(connection: AbstractConnection) -> bool:
    return connection.transport is None or connection.transport.connection.is_closed


def _loss_of(channel: AbstractChannel) -> asyncio.Future[str]:
    """Return a future whose result is why the channel was lost, or why the broker cancelled the consumer."""
    lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def note(reason: str) -> None:
        if not lost.done():
            lost.set_result(reason)

    def on_close(closing: asyncio.Future[Any]) -> None:
        note("closed" if closing.cancelled() else str(closing.exception() or "closed"))

    channel.closing.add_done_callback(on_close)
    channel.on_consumer_cancel_callbacks.add(lambda _: note("the queue was deleted or its leader moved"))
    return lost


async def _raise_at(lost: asyncio.Future[str]) -> None:
    raise ChannelLost(await lost)


def _reasons(errors: BaseExceptionGroup[BaseException]) -> str:
    return "; ".join(
        _reasons(error) if isinstance(error, BaseExceptionGroup) else str(error) for error in errors.exceptions
    )
