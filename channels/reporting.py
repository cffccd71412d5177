"""Tells regularly how this worker's channels and providers are doing: for the operator's page."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from os import getpid
from typing import Protocol, runtime_checkable

from msgspec.structs import replace

from channels.channel import DeliveryChannel
from channels.mishaps import Mishaps
from channels.providers import Health
from hub.domain.channels import Channel
from hub.domain.errors import StoreUnavailable
from hub.observe import STORE_ERRORS
from hub.store.delivery_workers import BEAT_S, DeliveryWorkerFacts, ProviderFacts, ProviderState


class Register(Protocol):
    """The register of delivery workers (`hub.store.delivery_workers.DeliveryWorkers`). Raises StoreUnavailable."""

    async def beat(self, facts: DeliveryWorkerFacts) -> None:
        """Say how a worker is."""
        ...

    async def leave(self, uid: str) -> None:
        """Say that a worker ends."""
        ...


class _Well(Protocol):
    @property
    def health(self) -> tuple[Health, ...]: ...


@runtime_checkable
class _WithProviders(Protocol):
    """A channel of ours: its providers say how they are. One of an installation's own need not have any."""

    @property
    def providers(self) -> _Well: ...


@asynccontextmanager
async def reporting(
    register: Register,
    *,
    uid: str,
    version: str,
    channels: Mapping[Channel, DeliveryChannel],
    mishaps: Mishaps,
    clock: Callable[[], int],
    every_s: float = BEAT_S,
) -> AsyncIterator[None]:
    """Report meanwhile, every `every_s`, and at the end that the worker is gone. `clock` gives Unix ms.

    Redis being away is no trouble of a worker's: the next report comes through.
    """
    first = DeliveryWorkerFacts(uid=uid, name=f"{socket.gethostname()}:{getpid()}", version=version, started_ms=clock())

    async def go_on() -> None:
        while True:
            facts = replace(
                first,
                at_ms=clock(),
                channels=tuple(sorted(channels)),
                providers=tuple(_providers(channels)),
                mishaps=mishaps.latest,
            )
            try:
                await register.beat(facts)
            except StoreUnavailable:
                STORE_ERRORS.labels("delivery worker beat").inc()
            await asyncio.sleep(every_s)

    task = asyncio.create_task(go_on(), name="reporting")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        with contextlib.suppress(StoreUnavailable):  # Then it is forgotten after its silence.
            await register.leave(uid)


def _providers(channels: Mapping[Channel, DeliveryChannel]) -> Iterator[ProviderFacts]:
    for name, channel in sorted(channels.items()):
        for health in channel.providers.health if isinstance(channel, _WithProviders) else ():
            yield ProviderFacts(
                channel=name,
                name=health.name,
                state=_state_of(health),
                rests_s=round(health.rests_s, 1),
                calls=dict(health.calls),
                under_way=health.under_way,
                per_second=health.per_second,
            )


def _state_of(health: Health) -> ProviderState:
    if health.failing:
        return ProviderState.FAILING
    return ProviderState.PAUSED if health.rests_s else ProviderState.WELL
