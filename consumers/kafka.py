"""Events from Kafka.

Guarantees: an offset is committed only when the effects of every record before it are on Redis' disk
(`consumers.acknowledgement`); records of one partition that have to do with each other are processed in order; a record
that is no event becomes a dead letter and holds up nobody. What is read twice, after a crash, a rebalance or a restart
of Redis, has its effects once.

Topics are never created here. A missing one is named in the log and in the readiness; the others are read meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from consumers.backoff import Backoff
from consumers.dead_letter_topic import DeadLetterTopic
from consumers.intake import Intake
from consumers.kafka_client import open_consumer
from consumers.kafka_membership import KafkaMembership
from consumers.kafka_watch import ConsumerStuck, KafkaWatch
from consumers.ports import Ingest
from consumers.readiness import Condition, Readiness, State
from consumers.timing import Timing
from hub.observe import logger
from hub.settings import Kafka

_LONG_LIFE_S = 30.0
"""A connection that held for so long was a success, whatever ended it."""

_log = logger("consumers.kafka")


class KafkaConsumer:
    """One member of the consumer group; start more processes to share the partitions.

    Raises ConfigurationError on security settings that cannot be used.
    """

    def __init__(
        self,
        settings: Kafka,
        ingest: Ingest,
        *,
        fsync_interval_s: float,
        timing: Timing | None = None,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._settings = settings
        self._ingest = ingest
        self._fsync_interval_s = fsync_interval_s
        self._timing = timing or Timing()
        self._clock_ms = clock_ms
        self._readiness = Readiness("kafka")
        self._stopping = asyncio.Event()
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def condition(self) -> Condition:
        """How it is doing, and why."""
        return self._readiness.condition

    @property
    def ready(self) -> bool:
        """Whether events are read and processed right now."""
        return self._readiness.ready

    def stop(self) -> None:
        """Have `run` finish: no more fetching, the batch in hand done, what is safe committed, the group left."""
        self._stopping.set()

    async def run(self) -> None:
        """Read until `stop`, through every outage of Kafka and Redis; ends at most 20 s after `stop`.

        Cancellation ends it at once; what is not yet committed is read again by whoever comes next. Raises what the
        ingest raises beyond StoreUnavailable, once it is clear that a single event is not the reason.
        """
        backoff = Backoff(first_s=self._timing.backoff_first_s, max_s=self._timing.backoff_max_s)
        async with AsyncExitStack() as stack:
            copy = None
            if self._settings.dead_letter_topic:
                copy = await stack.enter_async_context(DeadLetterTopic(self._settings))
            intake = Intake(self._ingest, self._readiness, copy=copy)
            while not self._stopping.is_set():
                await self._life(intake, backoff)
        self._readiness.enter(State.STOPPED)

    async def _life(self, intake: Intake, backoff: Backoff) -> None:
        began_s = time.monotonic()
        try:
            async with self._joined() as consumer:
                await self._serve(consumer, intake)
        except* (KafkaError, OSError, TimeoutError, ConsumerStuck) as errors:
            reason = "; ".join(f"{type(error).__name__}: {error}" for error in _leaves(errors))
            self._readiness.enter(State.CONNECTING)
            self._readiness.trouble("broker", reason)
        if time.monotonic() - began_s > _LONG_LIFE_S:
            backoff.reset()
        if not self._stopping.is_set():
            await self._pause(backoff.next_s())

    @asynccontextmanager
    async def _joined(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = open_consumer(self._settings)
        try:
            async with asyncio.timeout(self._timing.connect_timeout_s):
                await consumer.start()
            yield consumer
        finally:
            await self._leave(consumer)

    async def _leave(self, consumer: AIOKafkaConsumer) -> None:
        # Cut off half-way, the client would fetch on for ever, beside its successor.
        leaving = asyncio.create_task(consumer.stop())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        try:
            async with asyncio.timeout(self._timing.request_timeout_s):
                await asyncio.shield(leaving)
        except (KafkaError, OSError, TimeoutError) as error:
            # The group finds out by itself, after the session timeout.
            _log.info("left_without_goodbye", reason=f"{type(error).__name__}: {error}")

    async def _serve(self, consumer: AIOKafkaConsumer, intake: Intake) -> None:
        membership = KafkaMembership(
            consumer,
            intake,
            self._readiness,
            fsync_interval_s=self._fsync_interval_s,
            batch_max_records=self._settings.batch_max_records,
            timing=self._timing,
            clock_ms=self._clock_ms,
        )
        watch = KafkaWatch(
            consumer,
            self._readiness,
            timing=self._timing,
            busy=lambda: membership.busy,
            progressed_s=lambda: membership.progressed_s,
        )
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(self._subscribe(consumer, membership)),
                group.create_task(membership.acknowledge()),
                group.create_task(watch.run()),
            ]
            await membership.read(self._stopping)
            await membership.finish()
            for task in background:
                task.cancel()

    async def _subscribe(self, consumer: AIOKafkaConsumer, membership: KafkaMembership) -> None:
        """Subscribe to the topics that exist, and look for the others from time to time."""
        wanted, subscribed = set(self._settings.topics), frozenset[str]()
        while subscribed != wanted:
            async with asyncio.timeout(self._timing.request_timeout_s):
                present = wanted & await consumer.topics()
            if present - subscribed:
                subscribed = frozenset(present | subscribed)
                consumer.subscribe(topics=list(subscribed), listener=membership)
            self._readiness.enter(State.CONNECTED)
            self._report_missing(wanted - subscribed)
            if subscribed != wanted:
                await asyncio.sleep(self._timing.look_for_topics_every_s)

    def _report_missing(self, missing: set[str]) -> None:
        if missing:
            self._readiness.trouble("topics", f"Kafka has no topics named {', '.join(sorted(missing))}")
        else:
            self._readiness.fine("topics")

    async def _pause(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            return


def _leaves(errors: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in errors.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves
