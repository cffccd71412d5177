"""One life of a Kafka client in the consumer group: reading, acknowledging, and giving partitions back.

Rebalances are eager: every member loses all its partitions and is given some anew, from their committed offsets. So one
number, the epoch, fences all partitions at once: it changes whenever what was read before will be read again, be it by
us or by another member, and a batch that was begun under an older epoch is never acknowledged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from consumers.acknowledgement import Acknowledge, Ledger, Replay
from consumers.batch import decode_all
from consumers.intake import Intake
from consumers.kafka_record import KafkaDelivery, Mark, Records, commit_positions, mark_of, rewind_positions
from consumers.readiness import Readiness
from consumers.timing import Timing
from consumers.writing import Writing, ended, first_of
from hub.domain.envelope import Source
from hub.observe import logger

_POLL_MS = 200
_POLL_LIMIT_S = 1.0
"""`getmany` waits for the end of a rebalance whatever its own timeout; a stop should not."""

_log = logger("consumers.kafka")


class KafkaMembership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads and acknowledges with one started client. `serve` is its life; make another one after it ended."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        intake: Intake,
        readiness: Readiness,
        *,
        fsync_interval_s: float,
        batch_max_records: int,
        timing: Timing,
        clock_ms: Callable[[], int],
    ) -> None:
        self._consumer = consumer
        self._intake = intake
        self._readiness = readiness
        self._batch_max_records = batch_max_records
        self._timing = timing
        self._clock_ms = clock_ms
        self._ledger: Ledger[Mark] = Ledger(fsync_interval_s=fsync_interval_s)
        self._safe: dict[TopicPartition, int] = {}
        self._epoch = 0
        self._in_hand: Mark = {}
        self._writing: Writing | None = None
        self._committing = asyncio.Lock()
        self.progressed_s = time.monotonic()
        """When records came last, or partitions were assigned."""

    @property
    def busy(self) -> bool:
        """Whether a batch is being written."""
        return bool(self._in_hand)

    # ------------------------------------------------------------------------------------------------------- reading

    async def read(self, stopping: asyncio.Event) -> None:
        """Process batches until `stopping`; then finish the one in hand, if that is possible in time."""
        while not stopping.is_set():
            records = await self._poll()
            if records:
                await self._take(records, stopping)

    async def _poll(self) -> Records:
        try:
            async with asyncio.timeout(_POLL_LIMIT_S):
                records: Records = await self._consumer.getmany(
                    timeout_ms=_POLL_MS, max_records=self._batch_max_records
                )
        except TimeoutError:
            return {}
        return records

    async def _take(self, records: Records, stopping: asyncio.Event) -> None:
        epoch, self._in_hand = self._epoch, mark_of(records)
        self.progressed_s = time.monotonic()
        deliveries = (KafkaDelivery(record) for some in records.values() for record in some)
        batch = decode_all(deliveries, source=Source.KAFKA, received_ms=self._clock_ms())
        self._writing = asyncio.create_task(self._intake.write(batch))
        try:
            await self._wait_for(self._writing, stopping)
        finally:
            await ended(self._writing)
            mark, self._in_hand = self._in_hand, {}
        if self._writing.cancelled():
            # Nothing is lost: what was not acknowledged is read again.
            return
        generation = self._writing.result()
        if epoch == self._epoch:
            self._ledger.written(mark, at_s=time.monotonic(), generation=generation)

    async def _wait_for(self, writing: Writing, stopping: asyncio.Event) -> None:
        while not writing.done() and not stopping.is_set():
            await first_of(writing, stopping, timeout_s=self._timing.hold_poll_every_s)
            if not writing.done() and not stopping.is_set():
                await self._poll_paused()
        if not writing.done():
            await asyncio.wait((writing,), timeout=self._timing.stop_s)
        self._consumer.resume(*self._consumer.paused())

    async def _poll_paused(self) -> None:
        """Show the group that we live, without taking records: who does not poll for 5 minutes is thrown out."""
        self._consumer.pause(*self._consumer.assignment())
        early = await self._poll()
        # Partitions assigned a moment ago are not paused yet.
        self._seek(rewind_positions([mark_of(early)]))

    # -------------------------------------------------------------------------------------------------- acknowledging

    async def acknowledge(self) -> None:
        """Commit what is safe on disk, for ever."""
        while True:
            await asyncio.sleep(self._timing.acknowledge_every_s)
            await self._settle()
            await self._commit()

    async def finish(self) -> None:
        """Wait until all that was written is safe and committed, or for `stop_s`."""
        try:
            async with asyncio.timeout(self._timing.stop_s):
                while self._ledger or self._safe:
                    await self._settle()
                    await self._commit()
                    await asyncio.sleep(self._timing.acknowledge_every_s)
        except TimeoutError:
            _log.warning("stopped_before_all_was_committed", batches=len(self._ledger), partitions=len(self._safe))

    async def _settle(self) -> None:
        if not self._ledger:
            return
        generation = await self._intake.read_generation()
        if generation is None:
            return
        match self._ledger.due(now_s=time.monotonic(), generation=generation):
            case Acknowledge(marks):
                self._safe.update(commit_positions(marks))
            case Replay(marks):
                self._replay(marks)

    def _replay(self, marks: tuple[Mark, ...]) -> None:
        _log.warning("replay", why="Redis was restarted before the writes were surely on disk", batches=len(marks))
        self._epoch += 1
        # The batch in hand too: reading goes back in its partitions, and it must not be committed before the others.
        self._seek(rewind_positions([*marks, self._in_hand]))

    def _seek(self, positions: dict[TopicPartition, int]) -> None:
        for partition, offset in positions.items():
            try:
                self._consumer.seek(partition, offset)
            except IllegalStateError:
                _log.info("partition_lost_before_seek", partition=str(partition))

    async def _commit(self) -> None:
        async with self._committing:
            offsets = {
                partition: self._safe[partition] for partition in self._safe.keys() & self._consumer.assignment()
            }
            if not offsets:
                return
            try:
                async with asyncio.timeout(self._timing.request_timeout_s):
                    await self._consumer.commit(offsets)
            except (IllegalStateError, CommitFailedError) as error:
                # The group has given the partitions to somebody else, who reads the records again.
                _log.info("commit_refused", reason=str(error))
            except (KafkaError, TimeoutError) as error:
                self._readiness.trouble("commit", f"Kafka takes no commit: {type(error).__name__}")
                return
            self._readiness.fine("commit")
            self._safe = {partition: at for partition, at in self._safe.items() if offsets.get(partition, -1) < at}

    # ---------------------------------------------------------------------------------------------------- rebalancing

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Finish the batch in hand, commit what is safe, then fence: later results are dropped.

        What is written but not yet safe is read again by the next owner, which repeats nothing.
        """
        try:
            if self._writing is not None and not self._writing.done():
                if not self._intake.holding:
                    await asyncio.wait((self._writing,), timeout=self._timing.drain_s)
                await ended(self._writing)
            await self._settle()
            await self._commit()
        finally:
            self._fence()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin from the committed offsets."""
        self._fence()
        self.progressed_s = time.monotonic()
        _log.info("partitions_assigned", partitions=sorted(f"{some.topic}/{some.partition}" for some in assigned))

    def _fence(self) -> None:
        self._epoch += 1
        self._ledger.clear()
        self._safe.clear()
