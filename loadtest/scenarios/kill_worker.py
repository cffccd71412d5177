"""One worker dies (SIGKILL): its share of the clients comes back, to the others or to its successor."""

from __future__ import annotations

import asyncio

from loadtest.measure import Figure, Measure
from loadtest.scenarios.losses import survive
from loadtest.stage import Scenario, Stage

NAME = "kill-worker"
BACK = Measure("one worker killed: all back and recovered", "s", must=30, reach=10)
SHARE = Measure("clients that came back", "")
RECOVERED = Measure("publications recovered", "")


async def run(stage: Stage) -> list[Figure]:
    """Kill the first worker."""

    async def kill() -> None:
        await asyncio.to_thread(stage.own.workers()[0].kill)

    loss = await survive(stage, NAME, kill)
    return [
        BACK.figure(NAME, loss.back_s),
        SHARE.figure(NAME, loss.lost),
        RECOVERED.figure(NAME, loss.recovered),
    ]


SCENARIO = Scenario(NAME, "one worker is killed", run, own=True)
