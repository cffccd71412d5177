"""One person's message while everybody is being told something: it must not wait for the other 99,999."""

from __future__ import annotations

import asyncio

from loadtest.measure import Figure, Measure
from loadtest.pace import at_rate
from loadtest.stage import Scenario, Stage

NAME = "personal"
P50 = Measure("one person's message during a broadcast, p50", "ms")
P99 = Measure("one person's message during a broadcast, p99", "ms", must=250, reach=100)
_SERIES = "personal"
_SHORTEST_S = 0.2
_WITHIN = 0.9
"""Share of a broadcast's time in which messages are sent: they are all meant to meet it."""


async def run(stage: Stage) -> list[Figure]:
    """Publish to random people from the moment a broadcast begins until shortly before it ends, several times."""
    plan, swarm = stage.plan, stage.swarm
    window_s = max(_SHORTEST_S, _WITHIN * stage.broadcast_last_ms / 1e3)
    sent = 0

    async def act(numbers: range) -> None:
        await stage.target.hub.publish([stage.personal(_SERIES, number) for number in numbers])

    for number in range(plan.broadcasts):
        series = f"meanwhile-{number}"
        await stage.broadcast(series)
        sent += await at_rate(act, per_s=plan.personal_per_s, seconds=window_s)
        await swarm.heard(series, plan.clients, timeout_s=plan.patience_s)
        await asyncio.sleep(plan.rest_s)
    latencies = await swarm.heard(_SERIES, sent, timeout_s=plan.patience_s)
    return [P50.figure(NAME, latencies.percentile_ms(0.5)), P99.figure(NAME, latencies.percentile_ms(0.99))]


SCENARIO = Scenario(NAME, "single people's messages during broadcasts", run)
