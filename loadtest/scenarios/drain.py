"""A deployment: a successor starts on the same port, then the old one is asked to end and sends everybody over."""

from __future__ import annotations

from loadtest.measure import Figure, Measure
from loadtest.scenarios.losses import survive
from loadtest.stage import Scenario, Stage

NAME = "drain"
BACK = Measure("SIGTERM beside a successor: all moved over", "s", must=60, reach=30)
CUT = Measure("connections cut without a code", "", must=0)
UNMET = Measure("connects without an answer", "", must=0)
RECOVERED = Measure("publications recovered", "")
_MESSAGES = 4
"""A drain takes its time: messages to all are spread over it."""
_SHUTDOWN, _NO_CODE = "3001", "1006"


async def run(stage: Stage) -> list[Figure]:
    """Replace what serves."""
    before = stage.swarm.closes
    predecessor = await stage.own.succeed()
    loss = await survive(stage, NAME, lambda: stage.own.stop(predecessor), every_s=stage.plan.drain_s / _MESSAGES)
    after = stage.swarm.closes
    told = after.get(_SHUTDOWN, 0) - before.get(_SHUTDOWN, 0)
    cut = after.get(_NO_CODE, 0) - before.get(_NO_CODE, 0)
    return [
        BACK.figure(NAME, loss.back_s),
        Figure(NAME, "clients told to reconnect", told, "", budget=stage.plan.clients, ceiling=False),
        CUT.figure(NAME, cut),
        UNMET.figure(NAME, loss.unmet),
        RECOVERED.figure(NAME, loss.recovered),
    ]


SCENARIO = Scenario(NAME, "the server is replaced by a successor (SIGTERM)", run, own=True)
