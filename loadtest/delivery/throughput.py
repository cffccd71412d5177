"""How much one delivery worker sends in a second, and what that costs each process.

A backlog waits in the queue before the worker starts, so nothing but the worker, Redis and the provider sets the pace.
The first tenth is left out: connections are opened and texts compiled then. Where the bare SDK does not reach the
budget against the same stand-in, what it reaches takes the budget's place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from hub.domain.channels import EMAIL, PUSH, SMS
from hub.domain.ids import TemplateName
from hub.domain.notifications import Lane
from loadtest.delivery.providers import Provider
from loadtest.delivery.town import Backlog, Town
from loadtest.measure import Figure
from loadtest.stack import Stack

NAME = "delivery"
_LOOK_S = 0.05
_QUIET_S = 20.0
_WARM_UP = 0.1


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message: what it is called, who takes it, and how many a second there must be."""

    what: str
    provider: str
    budget: float
    backlog: Backlog


def kinds(count: int) -> tuple[Kind, ...]:
    """Return what is measured; of mails there are `count`, of the others a part of that."""
    order, out = TemplateName("order-placed"), TemplateName("shipment-out-for-delivery")
    lane = Lane.TRANSACTIONAL
    return (
        Kind("emails", "relay", 1_000, Backlog(EMAIL, lane, order, count)),
        Kind("texts", "twilio", 300, Backlog(SMS, lane, out, count // 3)),
        Kind("pushes", "fcm", 1_500, Backlog(PUSH, lane, out, count)),
    )


async def measure(
    kind: Kind, *, stack: Stack, town: Town, providers: Mapping[str, Provider], ceiling: float | None = None
) -> list[Figure]:
    """Send a backlog with one worker. `ceiling` is what the bare SDK comes to, where that is below the budget."""
    await town.wait_for(kind.backlog)
    provider = providers[kind.provider]
    before = provider.count()
    await asyncio.to_thread(stack.start, "deliver")
    _set_apart(stack, provider)
    try:
        first = await _taken(provider, before + round(_WARM_UP * kind.backlog.count))
        began_s, costs = time.perf_counter(), _costs(stack, provider)
        last = await _taken(provider, before + kind.backlog.count)
        took_s, after = time.perf_counter() - began_s, _costs(stack, provider)
    finally:
        await asyncio.to_thread(stack.stop, "deliver")
    sent = max(1, last - first)
    budget = kind.budget if ceiling is None else min(kind.budget, ceiling)
    return [
        Figure(NAME, f"{kind.what} a second, one worker", sent / took_s, "1/s", budget=budget, ceiling=False),
        *(
            Figure(NAME, f"{kind.what}: {name} CPU each", (after[name] - costs[name]) / sent * 1e6, "µs")
            for name in costs
        ),
    ]


def _set_apart(stack: Stack, provider: Provider) -> None:
    """Give the worker a core of its own, where there are two: Redis, the provider and we share the others."""
    first, *others = psutil.Process().cpu_affinity() or [0]
    if others:
        stack.processes["deliver"].cpu_affinity([first])
        for process in (stack.processes["redis"], provider.seen):
            process.cpu_affinity(others)


def _costs(stack: Stack, provider: Provider) -> dict[str, float]:
    costs = {name: cost.cpu_s for name, cost in stack.costs().items() if name in {"deliver", "redis"}}
    return {**costs, provider.name: provider.cost().cpu_s}


async def _taken(provider: Provider, wanted: int) -> int:
    """Wait until a provider has taken so many messages; return how many it has."""
    changed_s, last = time.monotonic(), -1
    while (count := provider.count()) < wanted:
        if count != last:
            changed_s, last = time.monotonic(), count
        elif time.monotonic() - changed_s > _QUIET_S:
            raise RuntimeError(f"{provider.name} has taken {count} of {wanted} messages, and then no more")
        await asyncio.sleep(_LOOK_S)
    return count
