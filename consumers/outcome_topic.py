"""Outcomes of notifications, from the outbox in Redis to a Kafka topic.

Guarantees: at least once; those of one notification in their order, because they have one key, and lie in one list that
is emptied from its head. An outcome leaves the outbox only when the broker has it on all its replicas in sync. A worker
that dies leaves its lease to run out; what it had sent without taking it out is sent again, under the same event ids.

While Kafka is away, the outboxes of those who have waited for longest are dropped where too many people have one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from consumers.backoff import Backoff
from consumers.kafka_client import open_producer
from hub.domain.errors import StoreUnavailable
from hub.domain.outcomes import encoded, event_of
from hub.observe import OUTCOMES, OUTCOMES_WAITING, STORE_ERRORS, logger
from hub.settings import Kafka
from hub.store.outbox import Box, Entry, Outbox

_log = logger("consumers.outcomes")
_HEADERS = [("content-type", b"application/cloudevents+json; charset=utf-8")]
_PEOPLE_AT_ONCE = 200
_IDLE_S = 0.2
_LEASE_S = 15.0
_SEND_S = 5.0
"""Well below the lease, so that nobody sends what somebody else already sends."""
_PATIENCE = 2.0
"""The client gives up by itself after the time to send. Where it does not, it is given up after twice as long."""
_BACKOFF_MAX_S = 15.0
_SWEEP_EVERY_S = 5.0


class OutcomeTopic:
    """Tells outcomes for as long as `run` runs. Any number of workers may: each shard of people has one at a time."""

    def __init__(
        self,
        settings: Kafka,
        outbox: Outbox,
        *,
        send_s: float = _SEND_S,
    ) -> None:
        """Take `settings` with an `outcomes_topic`, and `send_s`: how long a broker may take for a batch."""
        self._settings = settings
        self._outbox = outbox
        self._producer: AIOKafkaProducer | None = None
        self._send_s = send_s
        self._swept_s = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Tell what waits until `stop` is set, through every outage of Kafka and Redis; then give the leases back.

        Cancelling it leaves the leases to run out.
        """
        backoff = Backoff(first_s=_IDLE_S, max_s=_BACKOFF_MAX_S)
        try:
            while not stop.is_set():
                wait_s = await self._pass(backoff)
                if wait_s:
                    await _wait(stop, wait_s)
            await self._give_back()
        finally:
            await self._close()

    async def _pass(self, backoff: Backoff) -> float:
        """Go over all shards once; return how long to wait after it."""
        try:
            told = [await self._shard(shard) for shard in range(self._outbox.shards)]
            await self._sweep()
        except (KafkaError, OSError, TimeoutError) as error:
            OUTCOMES.labels("failed").inc()
            _log.warning("outcomes_wait", topic=self._settings.outcomes_topic, reason=_told(error))
            await self._close()
            await self._make_room()
            return backoff.next_s()
        except StoreUnavailable as error:
            STORE_ERRORS.labels("outcomes").inc()
            _log.warning("outcomes_unreadable", problem=str(error))
            return backoff.next_s()
        backoff.reset()
        return 0.0 if any(told) else _IDLE_S

    async def _shard(self, shard: int) -> int:
        """Tell some of what waits in a shard, if its lease is ours; return how much has left it."""
        if not await self._outbox.lease(shard, round(_LEASE_S * 1_000)):
            return 0
        people = await self._outbox.pending(shard, _PEOPLE_AT_ONCE)
        if not people:
            return 0
        boxes = await self._outbox.read(people)
        entries = [entry for box in boxes for entry in box.entries]
        told = await self._send(entries) if entries else 0
        await self._outbox.drop(boxes)
        await self._outbox.rest(shard, people)
        OUTCOMES.labels("told").inc(told)
        OUTCOMES.labels("dropped").inc(sum(box.lost for box in boxes))
        return len(entries)

    async def _send(self, entries: Sequence[Entry]) -> int:
        """Return when the broker has all entries that can be read, and how many they are.

        Raises KafkaError, OSError, TimeoutError; then some may be there.
        """
        async with asyncio.timeout(self._send_s * _PATIENCE):
            producer = await self._started()
            sent = []
            for entry in entries:
                value = _value(entry)
                if value is not None:
                    topic, key = self._settings.outcomes_topic, entry.notification.encode()
                    sent.append(await producer.send(topic, value, key=key, headers=_HEADERS))
            await asyncio.gather(*sent)
        return len(sent)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = open_producer(self._settings, request_timeout_ms=round(self._send_s * 1_000))
            self._producer = producer
            await producer.start()
            _log.info("telling_outcomes", topic=self._settings.outcomes_topic)
        return self._producer

    async def _sweep(self) -> None:
        """Now and then, look again at who was thought to have nothing left, and measure what waits."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._swept_s + _SWEEP_EVERY_S:
            return
        self._swept_s = now_s
        for shard in range(self._outbox.shards):
            if await self._outbox.lease(shard, round(_LEASE_S * 1_000)):
                await self._outbox.wake(shard, _PEOPLE_AT_ONCE * 50)
        await self._measure()

    async def _measure(self) -> list[int]:
        waiting = [await self._outbox.count(shard) for shard in range(self._outbox.shards)]
        OUTCOMES_WAITING.set(sum(waiting))
        return waiting

    async def _make_room(self) -> None:
        """Drop the oldest outboxes beyond the bound, and count what is lost."""
        most = max(1, self._settings.outcomes_people // self._outbox.shards)
        try:
            for shard, waiting in enumerate(await self._measure()):
                surplus = waiting - most
                while surplus > 0 and await self._outbox.lease(shard, round(_LEASE_S * 1_000)):
                    people = await self._outbox.pending(shard, min(surplus, _PEOPLE_AT_ONCE))
                    await self._forget(shard, await self._outbox.read(people))
                    surplus -= len(people) or surplus
        except StoreUnavailable as error:
            STORE_ERRORS.labels("outcomes").inc()
            _log.warning("outcomes_unreadable", problem=str(error))

    async def _forget(self, shard: int, boxes: Sequence[Box]) -> None:
        await self._outbox.drop(boxes)
        await self._outbox.rest(shard, [box.pending for box in boxes])
        lost = sum(box.lost + len(box.entries) for box in boxes)
        OUTCOMES.labels("dropped").inc(lost)
        _log.error("outcomes_dropped", people=len(boxes), outcomes=lost)

    async def _give_back(self) -> None:
        try:
            for shard in range(self._outbox.shards):
                await self._outbox.lease(shard, 0)
        except StoreUnavailable:
            return  # Then they run out.

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(self._send_s * _PATIENCE):
                await producer.stop()
        except (KafkaError, OSError, TimeoutError):
            # What was not sent is still in the outbox.
            return


def _value(entry: Entry) -> bytes | None:
    """Return the event of an entry; None for one that another version wrote, which must not hold up the others."""
    try:
        return encoded(event_of(entry.text, entry.number))
    except msgspec.DecodeError as error:
        OUTCOMES.labels("unreadable").inc()
        _log.error("outcome_unreadable", notification=entry.notification, problem=str(error))
        return None


def _told(error: BaseException) -> str:
    return f"{type(error).__name__} {error}".strip()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
