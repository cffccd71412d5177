"""Everybody connects with a token, in steps; after each the costs are taken, which must not grow with the number.

Memory of a connection is what those of a step have added: the first thousands fill what a worker's start has left free.
"""

from __future__ import annotations

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
_LARGE = 5_000
"""From so many clients on costs at a step can be compared: below, the process itself outweighs its connections."""


@dataclass(frozen=True, slots=True)
class _Step:
    clients: int
    memory_kb: float
    accept_us: float
    delivery_us: float
    per_s: float


async def run(stage: Stage) -> list[Figure]:
    """Connect all clients."""
    plan = stage.plan
    warm = max(1, int(plan.clients * _WARM_UP))
    await stage.swarm.open(0, warm, at_once=plan.at_once, timeout_s=plan.patience_s)
    resident, here = stage.resident_bytes(), warm
    steps: list[_Step] = []
    for share in plan.steps:
        until = max(here + 1, int(plan.clients * share))
        steps.append(await _step(stage, here, until, resident))
        here, resident = until, stage.resident_bytes()
    last = steps[-1]
    connecting = stage.swarm.series(CONNECTING)
    figures = [
        RATE.figure(NAME, last.per_s),
        CONNECT_P99.figure(NAME, connecting.percentile_ms(0.99)),
    ]
    if stage.target.processes or last.accept_us:
        figures = [MEMORY.figure(NAME, last.memory_kb), ACCEPT.figure(NAME, last.accept_us), *figures]
        figures += [figure for step in steps for figure in _at(step)]
        if steps[0].clients >= _LARGE and len(steps) > 2:
            figures.append(GROWTH.figure(NAME, _growth(*steps)))
    return figures


async def _step(stage: Stage, first: int, until: int, resident: int) -> _Step:
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
    return _Step(
        until,
        memory_kb=grown / (until - first) / 1_024,
        accept_us=joined.server_s / (until - first) * 1e6,
        delivery_us=told.server_s / (until * _BROADCASTS) * 1e6,
        per_s=(until - first) / joined.took_s,
    )


def _at(step: _Step) -> list[Figure]:
    where = f"at {step.clients:,}"
    return [
        Figure(NAME, f"memory per connection {where}", step.memory_kb, "KB"),
        Figure(NAME, f"CPU per accept {where}", step.accept_us, "µs"),
        Figure(NAME, f"CPU per broadcast delivery {where}", step.delivery_us, "µs"),
    ]


def _growth(first: _Step, second: _Step, *others: _Step) -> float:
    """Return the greatest ratio of a cost at the last step to that at the first, of memory to that at the second."""
    last = others[-1]
    pairs = [
        (second.memory_kb, last.memory_kb),
        (first.accept_us, last.accept_us),
        (first.delivery_us, last.delivery_us),
    ]
    return max(after / before for before, after in pairs if before)


SCENARIO = Scenario(NAME, "all connect with tokens, in steps", run)
