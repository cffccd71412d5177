"""`hub.info`: which workers serve connections now, and how much they have to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from hub.service.operations import SERVICES, AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.store.workers import WorkerFacts


class Workers(Protocol):
    """The register of workers (hub.store.workers)."""

    async def alive(self) -> Sequence[WorkerFacts]:
        """Return those that run now. Raises StoreUnavailable."""
        ...


class AskInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


class Node(msgspec.Struct, frozen=True):
    """One worker. `uptime` in seconds; the rest as it was up to 5 s ago."""

    uid: str
    name: str
    version: str
    uptime: int
    num_clients: int
    num_users: int
    """People with at least one connection to this worker."""
    num_channels: int
    """Topics that this worker is subscribed to."""
    num_subs: int


class Info(msgspec.Struct, frozen=True):
    """The workers that have been heard of within 20 s."""

    nodes: tuple[Node, ...]


class Installation:
    """Tells services about the installation."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    async def info(self, call: Call, _: AskInfo) -> Info:
        """Return the workers. Raises StoreUnavailable."""
        return Info(tuple(_node(facts, call.now_ms) for facts in await self._workers.alive()))

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what services can ask for here."""
        info: Operation[AskInfo, Info] = Operation(
            name="hub.info",
            summary="Show which workers serve connections now, and how many.",
            request=AskInfo,
            response=Info,
            roles=SERVICES,
            http=Http("POST", "/v1/info"),
            handler=self.info,
            rate=Rate(count=120, window_s=60.0),
            repeat=Repeat.READS,
        )
        return (info,)


def _node(facts: WorkerFacts, now_ms: int) -> Node:
    return Node(
        uid=facts.uid,
        name=facts.name,
        version=facts.version,
        uptime=max(0, now_ms - facts.started_ms) // 1_000,
        num_clients=facts.clients,
        num_users=facts.users,
        num_channels=facts.topics,
        num_subs=facts.subscriptions,
    )
