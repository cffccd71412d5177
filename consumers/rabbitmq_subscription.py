"""One life of a RabbitMQ channel: taking deliveries, writing them in batches, and acknowledging.

An acknowledgement covers every delivery up to its tag, so batches enter the ledger strictly in the order of their
tags. Messages are kept in memory until they are acknowledged, `prefetch` of them at most: when Redis was restarted they
are processed again from there, in order and without a redelivery that would count towards the delivery limit.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from aiormq.abc import AbstractChannel, DeliveredMessage

from consumers.acknowledgement import Acknowledge, Ledger, Replay
from consumers.batch import Batch, decode_all
from consumers.intake import Intake
from consumers.rabbitmq_client import BrokerLost, ChannelLost, asked
from consumers.rabbitmq_message import RabbitDelivery
from consumers.timing import Timing
from consumers.writing import Writing, ended, first_of
from hub.domain.envelope import Source
from hub.observe import logger

_POLL_LIMIT_S = 0.5

_log = logger("consumers.rabbitmq")


@dataclass(frozen=True, slots=True)
class _Held:
    """A batch that is not yet acknowledged; `tag` is that of its last delivery."""

    batch: Batch
    tag: int


class RabbitSubscription:
    """Consumes one queue on one open channel. It ends with the channel; make another one then."""

    def __init__(
        self,
        channel: AbstractChannel,
        queue: str,
        intake: Intake,
        *,
        fsync_interval_s: float,
        batch_max_messages: int,
        timing: Timing,
        clock_ms: Callable[[], int],
    ) -> None:
        self._channel = channel
        self._queue = queue
        self._intake = intake
        self._batch_max_messages = batch_max_messages
        self._timing = timing
        self._clock_ms = clock_ms
        self._ledger: Ledger[_Held] = Ledger(fsync_interval_s=fsync_interval_s)
        # Bounded by the channel's prefetch.
        self._arrived: deque[RabbitDelivery] = deque()
        self._arrival = asyncio.Event()
        self._again: deque[_Held] = deque()
        self._in_hand: _Held | None = None
        self._epoch = 0
        self.progressed_s = time.monotonic()
        """When a delivery came last."""

    @property
    def busy(self) -> bool:
        """Whether anything is delivered and not yet acknowledged."""
        return bool(self._arrived or self._again or self._in_hand or self._ledger)

    async def consume(self) -> None:
        """Ask for deliveries, until the channel ends. Raises BrokerLost."""
        timeout_s = self._timing.request_timeout_s
        await asked(self._channel.basic_consume(self._queue, self._delivered), timeout_s=timeout_s)

    async def _delivered(self, message: DeliveredMessage) -> None:
        self._arrived.append(RabbitDelivery(message, self._queue))
        self._arrival.set()
        self.progressed_s = time.monotonic()

    # ------------------------------------------------------------------------------------------------------- writing

    async def read(self, stopping: asyncio.Event) -> None:
        """Write batches until `stopping`; then finish the one in hand, if that is possible in time.

        Raises BrokerLost when Redis was away for so long that the broker should have its messages back.
        """
        while not stopping.is_set():
            held = await self._next()
            if held is not None:
                await self._take(held, stopping)

    async def _next(self) -> _Held | None:
        if not (self._again or self._arrived):
            self._arrival.clear()
            try:
                async with asyncio.timeout(_POLL_LIMIT_S):
                    await self._arrival.wait()
            except TimeoutError:
                return None
        # Looked at after the wait: a replay may have begun in it, and what arrived goes behind that.
        if self._again:
            return self._again.popleft()
        size = min(len(self._arrived), self._batch_max_messages)
        some = [self._arrived.popleft() for _ in range(size)]
        batch = decode_all(some, source=Source.RABBITMQ, received_ms=self._clock_ms())
        return _Held(batch, some[-1].tag)

    async def _take(self, held: _Held, stopping: asyncio.Event) -> None:
        epoch, self._in_hand = self._epoch, held
        writing = asyncio.create_task(self._intake.write(held.batch))
        try:
            await self._wait_for(writing, stopping)
        finally:
            await ended(writing)
            self._in_hand = None
        if writing.cancelled():
            # Out of time at a stop: the broker gets it back with the channel's end.
            return
        generation = writing.result()
        if epoch == self._epoch:
            self._ledger.written(held, at_s=time.monotonic(), generation=generation)

    async def _wait_for(self, writing: Writing, stopping: asyncio.Event) -> None:
        await first_of(writing, stopping, timeout_s=self._timing.hold_limit_s)
        if stopping.is_set() and not writing.done():
            await asyncio.wait((writing,), timeout=self._timing.stop_s)
        elif not writing.done():
            raise BrokerLost(f"messages given back: not written within {self._timing.hold_limit_s:g} s")

    # -------------------------------------------------------------------------------------------------- acknowledging

    async def acknowledge(self) -> None:
        """Acknowledge what is safe on disk, for ever. Raises ChannelLost."""
        while True:
            await asyncio.sleep(self._timing.acknowledge_every_s)
            await self._settle()

    async def finish(self) -> None:
        """Wait until all that was written is safe and acknowledged, or for `stop_s`."""
        try:
            async with asyncio.timeout(self._timing.stop_s):
                while self._ledger:
                    await self._settle()
                    await asyncio.sleep(self._timing.acknowledge_every_s)
        except TimeoutError:
            _log.warning("stopped_before_all_was_acknowledged", batches=len(self._ledger))

    async def _settle(self) -> None:
        if not self._ledger:
            return
        generation = await self._intake.read_generation()
        if generation is None:
            return
        match self._ledger.due(now_s=time.monotonic(), generation=generation):
            case Acknowledge(marks):
                if marks:
                    await self._acknowledged_up_to(marks[-1].tag)
            case Replay(marks):
                self._replay(marks)

    async def _acknowledged_up_to(self, tag: int) -> None:
        try:
            await asked(self._channel.basic_ack(tag, multiple=True), timeout_s=self._timing.request_timeout_s)
        except BrokerLost as error:
            raise ChannelLost(str(error)) from error

    def _replay(self, marks: tuple[_Held, ...]) -> None:
        _log.warning("replay", why="Redis was restarted before the writes were surely on disk", batches=len(marks))
        self._epoch += 1
        in_hand = (self._in_hand,) if self._in_hand is not None else ()
        # The batch in hand once more too: entering the ledger first, it would acknowledge those before it.
        self._again = deque((*marks, *in_hand, *self._again))
        self._arrival.set()
