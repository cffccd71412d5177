"""Watches a Kafka client from outside: how far behind it is, whether the broker answers, and whether it still moves.

aiokafka's consumer can stop silently, with its group membership intact. What gives it away is lag without records.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from consumers.readiness import Readiness
from consumers.timing import Timing
from hub.domain.errors import DoorbellError
from hub.observe import CONSUMER_LAG


class ConsumerStuck(DoorbellError):
    """The client makes no progress although there is some to be made: start over with a new one."""


class KafkaWatch:
    """Looks at one client every few seconds. `busy` says that a batch is in hand, so no records are asked for."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        readiness: Readiness,
        *,
        timing: Timing,
        busy: Callable[[], bool],
        progressed_s: Callable[[], float],
    ) -> None:
        self._consumer = consumer
        self._readiness = readiness
        self._timing = timing
        self._busy = busy
        self._progressed_s = progressed_s
        self._answered_s = time.monotonic()
        self._shown: set[TopicPartition] = set()

    async def run(self) -> None:
        """Watch until cancelled. Raises ConsumerStuck."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(self._timing.watch_every_s)
        finally:
            self._show({})

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(self._timing.request_timeout_s):
                lag = await self._lag()
        except IllegalStateError:
            # A rebalance took the partitions in the middle of the question.
            return
        except (KafkaError, TimeoutError) as error:
            self._readiness.trouble("broker", f"Kafka does not answer: {type(error).__name__}")
            self._judge_silence()
            return
        self._answered_s = time.monotonic()
        self._readiness.fine("broker")
        self._show(lag)
        self._judge_lag(sum(lag.values()))

    async def _lag(self) -> dict[TopicPartition, int]:
        partitions = list(self._consumer.assignment())
        if not partitions:
            return {}
        ends = await self._consumer.end_offsets(partitions)
        return {
            partition: max(0, ends[partition] - await self._consumer.position(partition)) for partition in partitions
        }

    def _judge_silence(self) -> None:
        silent_s = time.monotonic() - self._answered_s
        if silent_s > self._timing.stuck_after_s:
            raise ConsumerStuck(f"no answer from Kafka for {silent_s:.0f} s")

    def _judge_lag(self, lag: int) -> None:
        idle_s = time.monotonic() - self._progressed_s()
        if lag > 0 and idle_s > self._timing.stuck_after_s and not self._busy():
            raise ConsumerStuck(f"{lag} records behind, but none came for {idle_s:.0f} s")

    def _show(self, lag: dict[TopicPartition, int]) -> None:
        for partition in self._shown - lag.keys():
            CONSUMER_LAG.remove(partition.topic, str(partition.partition))
        for partition, records in lag.items():
            CONSUMER_LAG.labels(partition.topic, str(partition.partition)).set(records)
        self._shown = set(lag)
