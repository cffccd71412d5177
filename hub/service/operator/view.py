"""`ops.channels`, `ops.queue`, `ops.failures`: what an operator watches."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import merge
from itertools import islice
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from hub.domain.channels import Channel
from hub.service.operations import SERVICES, AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.store.delivery_workers import DeliveryWorkerFacts, Mishap, ProviderFacts
from hub.store.queue_view import LaneView

_RATE = Rate(count=240, window_s=60.0)
"""A page that asks every two seconds, open in a few windows."""
_FAILURES = 50
_FAILURES_MAX = 200


class DeliveryWorkers(Protocol):
    """The register of delivery workers (hub.store.delivery_workers)."""

    async def alive(self) -> Sequence[DeliveryWorkerFacts]:
        """Return those that run now. Raises StoreUnavailable."""
        ...


class Queue(Protocol):
    """The sizes of the queue (hub.store.queue_view)."""

    async def lanes(self, now_ms: int) -> Sequence[LaneView]:
        """Return all lanes. Raises StoreUnavailable."""
        ...


class NothingToChoose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


class AskFailures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many at most."""

    limit: Annotated[int, Meta(ge=1, le=_FAILURES_MAX)] = _FAILURES


class WorkerView(msgspec.Struct, frozen=True):
    """A delivery worker. `uptime` in seconds; the rest as it was up to 2 s ago."""

    uid: str
    name: str
    version: str
    uptime: int
    channels: tuple[Channel, ...]
    """Those it delivers over. A step over another one is passed over."""
    providers: tuple[ProviderFacts, ...]


class ChannelHealth(msgspec.Struct, frozen=True):
    """The delivery workers that have been heard of within 10 s. None: nothing goes out."""

    workers: tuple[WorkerView, ...]


class QueueDepth(msgspec.Struct, frozen=True):
    """The delay queue, by lane. `now_ms` is the moment it was looked at."""

    now_ms: int
    lanes: tuple[LaneView, ...]


class Failures(msgspec.Struct, frozen=True):
    """The latest steps of ladders that went wrong, the newest first, as the workers that run remember them."""

    failures: tuple[Mishap, ...]


class OperatorView:
    """Shows how delivery is doing."""

    def __init__(self, workers: DeliveryWorkers, queue: Queue) -> None:
        self._workers = workers
        self._queue = queue

    async def channels(self, call: Call, _: NothingToChoose) -> ChannelHealth:
        """Return how every worker's providers are. Raises StoreUnavailable."""
        return ChannelHealth(tuple(_view(facts, call.now_ms) for facts in await self._workers.alive()))

    async def queue(self, call: Call, _: NothingToChoose) -> QueueDepth:
        """Return how long the queue is. Raises StoreUnavailable."""
        return QueueDepth(call.now_ms, tuple(await self._queue.lanes(call.now_ms)))

    async def failures(self, _: Call, request: AskFailures) -> Failures:
        """Return the latest failures of all workers. Raises StoreUnavailable."""
        known = [facts.mishaps for facts in await self._workers.alive()]
        newest_first = merge(*known, key=lambda mishap: mishap.at_ms, reverse=True)
        return Failures(tuple(islice(newest_first, request.limit)))

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what operators can ask for here."""
        channels: Operation[NothingToChoose, ChannelHealth] = Operation(
            name="ops.channels",
            summary="Show which delivery workers run, and how their providers are.",
            request=NothingToChoose,
            response=ChannelHealth,
            roles=SERVICES,
            http=Http("GET", "/v1/ops/channels"),
            handler=self.channels,
            rate=_RATE,
            repeat=Repeat.READS,
        )
        queue: Operation[NothingToChoose, QueueDepth] = Operation(
            name="ops.queue",
            summary="Show how many jobs wait, are due and are in hand, by lane.",
            request=NothingToChoose,
            response=QueueDepth,
            roles=SERVICES,
            http=Http("GET", "/v1/ops/queue"),
            handler=self.queue,
            rate=_RATE,
            repeat=Repeat.READS,
        )
        failures: Operation[AskFailures, Failures] = Operation(
            name="ops.failures",
            summary="Show the latest steps of ladders that went wrong.",
            request=AskFailures,
            response=Failures,
            roles=SERVICES,
            http=Http("GET", "/v1/ops/failures"),
            handler=self.failures,
            rate=_RATE,
            repeat=Repeat.READS,
        )
        return channels, queue, failures


def _view(facts: DeliveryWorkerFacts, now_ms: int) -> WorkerView:
    uptime = max(0, now_ms - facts.started_ms) // 1_000
    return WorkerView(facts.uid, facts.name, facts.version, uptime, facts.channels, facts.providers)
