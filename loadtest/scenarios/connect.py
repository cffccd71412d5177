"""Everybody connects with a token, in steps; after each the costs are taken, which must not grow with the number.

Memory of a connection is what those of a step have added: the first thousands fill what a worker's start has left free.
CPU of an accept is less what those who are connected cost meanwhile, by their pings: that is `idle`'s.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from loadtest.measure import Figure, Measure
from loadtest.stage import Scenario, Stage
from loadtest.swarm.member import CONNECTING

NAME = "connect"
MEMORY = Measure("resident memory per connection", "KB", must=8, reach=6)
ACCEPT = Measure("gateway CPU per accept", "µs", must=250, reach=180)
RATE = Measure("accepts per second, all workers", "1/s")
CONNECT_P99 = Measure("time to connect, p99", "ms")
GROWTH = Measure("greatest growth of a cost over the steps", "x", must=1.3, reach=1.1)
_WARM_UP = 0.02
"""Share of the clients that come before anything is measured: first of all a process loads and allocates."""
_BROADCASTS = 3
_REST_S = 4.0
"""How long is watched what those who are connected cost by themselves."""
_LARGE = 5_000
"""From so many clients on costs at a step can be compared: below, the process itself outweighs its connections."""


@dataclass(frozen=True, slots=True)
class Step:
    """What it took to let in those of one step."""

    clients: int
    joined: int
    took_s: float
    memory_kb: float
    connecting_s: float
    """CPU of the server while they connected, pings of those who were there already among it."""
    delivery_us: float

    def accept_us(self, ping_s: float) -> float:
        """Return the CPU of one accept, where a client costs `ping_s` of CPU a second by being there."""
        there = self.clients - self.joined / 2
        return max(0.0, self.connecting_s - ping_s * there * self.took_s) / self.joined * 1e6


async def run(stage: Stage) -> list[Figure]:
    """Connect all clients."""
    plan = stage.plan
    warm = max(1, int(plan.clients * _WARM_UP))
    await stage.swarm.open(0, warm, at_once=plan.at_once, timeout_s=plan.patience_s)
    resident, here = stage.resident_bytes(), warm
    steps: list[Step] = []
    for share in plan.steps:
        until = max(here + 1, int(plan.clients * share))
        steps.append(await _step(stage, here, until, resident))
        here, resident = until, stage.resident_bytes()
    last = steps[-1]
    resting = await stage.spending(lambda: asyncio.sleep(_REST_S))
    # Among few clients it is smaller than what the system's clock of CPU time can tell.
    ping_s = resting.server_s / resting.took_s / here if here >= _LARGE else 0.0
    accepts_us = [step.accept_us(ping_s) for step in steps]
    connecting = stage.swarm.series(CONNECTING)
    figures = [
        RATE.figure(NAME, last.joined / last.took_s),
        CONNECT_P99.figure(NAME, connecting.percentile_ms(0.99)),
    ]
    if stage.target.processes or last.connecting_s:
        figures = [MEMORY.figure(NAME, last.memory_kb), ACCEPT.figure(NAME, accepts_us[-1]), *figures]
        figures += [figure for step in steps for figure in _at(step, ping_s)]
        if steps[0].clients >= _LARGE and len(steps) > 2:
            figures.append(GROWTH.figure(NAME, _growth(ping_s, *steps)))
    return figures


async def _step(stage: Stage, first: int, until: int, resident: int) -> Step:
    plan, swarm = stage.plan, stage.swarm

    async def connect() -> None:
        await swarm.open(first, until, at_once=plan.at_once, timeout_s=plan.patience_s)

    async def broadcast() -> None:
        for number in range(_BROADCASTS):
            series = f"at-{until}-{number}"
            await stage.broadcast(series)
            await swarm.heard(series, until, timeout_s=plan.patience_s)

    joined = await stage.spending(connect)
    grown = stage.resident_bytes() - resident
    told = await stage.spending(broadcast)
    return Step(
        until,
        joined=until - first,
        took_s=joined.took_s,
        memory_kb=grown / (until - first) / 1_024,
        connecting_s=joined.server_s,
        delivery_us=told.server_s / (until * _BROADCASTS) * 1e6,
    )


def _at(step: Step, ping_s: float) -> list[Figure]:
    where = f"at {step.clients:,}"
    return [
        Figure(NAME, f"memory per connection {where}", step.memory_kb, "KB"),
        Figure(NAME, f"CPU per accept {where}", step.accept_us(ping_s), "µs"),
        Figure(NAME, f"CPU per broadcast delivery {where}", step.delivery_us, "µs"),
    ]


def _growth(ping_s: float, first: Step, second: Step, *others: Step) -> float:
    """Return the greatest ratio of a cost at the last step to that at the first, of memory to that at the second."""
    last = others[-1]
    pairs = [
        (second.memory_kb, last.memory_kb),
        (first.accept_us(ping_s), last.accept_us(ping_s)),
        (first.delivery_us, last.delivery_us),
    ]
    return max(after / before for before, after in pairs if before)


SCENARIO = Scenario(NAME, "all connect with tokens, in steps", run)
