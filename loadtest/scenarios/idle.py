"""Everybody is connected and nothing happens: what pings cost, and that nobody is lost."""

from __future__ import annotations

import asyncio

from loadtest.measure import Figure, Measure
from loadtest.stage import Scenario, Stage

NAME = "idle"
CPU = Measure("server CPU for 10,000 idle connections", "% of a core")
GROWTH = Measure("memory growth while idle, per connection", "bytes", must=256)
LOST = Measure("connections lost while idle", "", must=0)


async def run(stage: Stage) -> list[Figure]:
    """Wait."""
    closed, resident = sum(stage.swarm.closes.values()), stage.resident_bytes()
    spent = await stage.spending(lambda: asyncio.sleep(stage.plan.idle_s))
    await stage.swarm.settled()
    stage.idle_share = spent.server_s / spent.took_s
    lost = sum(stage.swarm.closes.values()) - closed
    figures = [LOST.figure(NAME, lost)]
    if resident:
        grown = (stage.resident_bytes() - resident) / stage.plan.clients
        per_10k = stage.idle_share * 100 * 10_000 / stage.plan.clients
        figures += [CPU.figure(NAME, per_10k), GROWTH.figure(NAME, grown)]
    return figures


SCENARIO = Scenario(NAME, "all connected, nothing happens", run)
