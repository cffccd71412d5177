"""Tells regularly how this worker's channels and providers are doing: for the operator's page."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from os import getpid
from typing import Any, Protocol

from msgspec.structs import replace

from channels.channel import DeliveryChannel
from channels.mishaps import Mishaps
from channels.providers import Health, Providers
from hub.domain.channels import Channel
from hub.domain.errors import ConfigurationError, Mistake, StoreUnavailable
from hub.observe import STORE_ERRORS, logger
from hub.store.delivery_workers import BEAT_S, DeliveryWorkerFacts, ProviderFacts, ProviderState

_GOODBYE_S = 3.0
"""How long Redis may take to hear it."""
_log = logger(__name__)
_ADVICE = "make them a channels.providers.Providers, or call them otherwise"
_ByChannel = Mapping[Channel, Providers[Any]]


class Register(Protocol):
    """The register of delivery workers (`hub.store.delivery_workers.DeliveryWorkers`). Raises StoreUnavailable."""

    async def beat(self, facts: DeliveryWorkerFacts) -> None:
        """Say how a worker is."""
        ...

    async def leave(self, uid: str) -> None:
        """Say that a worker ends."""
        ...


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

    Redis being away is no trouble of a worker's, nor is a report that fails: the next one comes through.
    Raises ConfigurationError where a channel has `providers` that cannot be told about.
    """
    providers = _providers_of(channels)
    first = DeliveryWorkerFacts(
        uid=uid,
        name=f"{socket.gethostname()}:{getpid()}",
        version=version,
        started_ms=clock(),
        channels=tuple(sorted(channels)),
    )

    def facts() -> DeliveryWorkerFacts:
        return replace(first, at_ms=clock(), providers=tuple(_facts(providers)), mishaps=mishaps.latest)

    task = asyncio.create_task(_report(register, facts, every_s=every_s), name="reporting")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        with contextlib.suppress(StoreUnavailable, TimeoutError):  # Then it is forgotten after its silence.
            async with asyncio.timeout(_GOODBYE_S):
                await register.leave(uid)


async def _report(register: Register, facts: Callable[[], DeliveryWorkerFacts], *, every_s: float) -> None:
    while True:
        try:
            await register.beat(facts())
        except StoreUnavailable:
            STORE_ERRORS.labels("delivery worker beat").inc()
        except Exception:  # noqa: BLE001 - an operator's view must not stop the delivery that it is about
            _log.exception("report_failed")
        await asyncio.sleep(every_s)


def _providers_of(channels: Mapping[Channel, DeliveryChannel]) -> _ByChannel:
    """Return the providers of the channels that have any: ours have, one of an installation's own need not.

    Raises ConfigurationError where what a channel calls its `providers` is something else.
    """
    found = {name: channel.providers for name, channel in sorted(channels.items()) if hasattr(channel, "providers")}
    mistakes = [
        Mistake(
            "settings", f"channels.{name}", "a table", f"its channel's `providers` are {_kind(providers)}: {_ADVICE}"
        )
        for name, providers in found.items()
        if not isinstance(providers, Providers)
    ]
    if mistakes:
        raise ConfigurationError(mistakes)
    return found


def _kind(value: object) -> str:
    return f"of the type {type(value).__qualname__}"


def _facts(providers: _ByChannel) -> Iterator[ProviderFacts]:
    for name, own in providers.items():
        for health in own.health:
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
