"""Everybody loses the connection at once, and comes back."""

from __future__ import annotations

from loadtest.measure import Figure, Measure
from loadtest.scenarios.losses import survive
from loadtest.stage import Scenario, Stage

NAME = "storm"
BACK = Measure("all dropped at once: all back and recovered", "s", must=60, reach=30)
RECOVERED = Measure("publications recovered", "")
REFUSED = Measure("told to come again", "")


async def run(stage: Stage) -> list[Figure]:
    """Drop all."""

    async def drop() -> None:
        stage.swarm.drop(0, stage.plan.clients)

    loss = await survive(stage, NAME, drop)
    return [
        BACK.figure(NAME, loss.back_s),
        RECOVERED.figure(NAME, loss.recovered),
        REFUSED.figure(NAME, loss.refused),
    ]


SCENARIO = Scenario(NAME, "all connections are lost at once", run)
