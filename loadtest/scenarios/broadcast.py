"""A flash sale: one message to everybody who is connected."""

from __future__ import annotations

import asyncio

from loadtest.measure import Figure, Measure, median
from loadtest.stage import Scenario, Stage
from loadtest.swarm.histogram import Histogram

NAME = "broadcast"
P50 = Measure("broadcast to all, p50", "ms", must=300, reach=170)
P99 = Measure("broadcast to all, p99", "ms", must=1_000, reach=770)
LAST = Measure("broadcast to all, last client", "ms", must=1_300, reach=1_000)
CPU = Measure("server CPU per delivery", "µs", must=13, reach=11)


async def run(stage: Stage) -> list[Figure]:
    """Broadcast a few times; each figure is the median over them."""
    plan, swarm = stage.plan, stage.swarm
    heard: list[Histogram] = []
    costs_us: list[float] = []
    for number in range(plan.broadcasts):
        series = f"broadcast-{number}"

        async def one(series: str = series, number: int = number) -> None:
            await stage.broadcast(series, number)
            await swarm.heard(series, plan.clients, timeout_s=plan.patience_s)

        spent = await stage.spending(one)
        costs_us.append(stage.busy_us(spent, plan.clients))
        heard.append(swarm.series(series))
        await asyncio.sleep(plan.rest_s)
    last_ms = median([each.greatest_ms for each in heard])
    stage.broadcast_last_ms = last_ms
    figures = [
        P50.figure(NAME, median([each.percentile_ms(0.5) for each in heard])),
        P99.figure(NAME, median([each.percentile_ms(0.99) for each in heard])),
        LAST.figure(NAME, last_ms),
    ]
    return [*figures, CPU.figure(NAME, median(costs_us))] if any(costs_us) else figures


SCENARIO = Scenario(NAME, "a flash sale: one message to everybody", run)
