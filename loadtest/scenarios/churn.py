"""A day's coming and going in miniature: memory must not grow once the server is warm."""

from __future__ import annotations

from loadtest.measure import Figure, Measure
from loadtest.stage import Scenario, Stage

NAME = "churn"
GROWTH = Measure("memory growth after warm-up", "%", must=2)
CYCLES = Measure("connects and disconnects", "")
RATE = Measure("connects and disconnects per second", "1/s")
GIVEN_BACK = Measure("resident memory after all have left", "MB")
_WARM_UP = 0.4


async def run(stage: Stage) -> list[Figure]:
    """Send everybody home, then let a few connect and leave again and again."""
    plan, swarm = stage.plan, stage.swarm
    await swarm.leave(0, plan.clients, timeout_s=plan.patience_s)
    left = stage.resident_bytes()
    warm_up = int(plan.churn_cycles * _WARM_UP)
    await swarm.churn(0, plan.churn_at_once, cycles=warm_up, timeout_s=plan.patience_s)
    warm = stage.resident_bytes()

    async def churn() -> None:
        rest = plan.churn_cycles - warm_up
        await swarm.churn(0, plan.churn_at_once, cycles=rest, timeout_s=plan.patience_s)

    spent = await stage.spending(churn)
    grown = stage.resident_bytes() - warm
    figures = [
        CYCLES.figure(NAME, plan.churn_cycles),
        RATE.figure(NAME, (plan.churn_cycles - warm_up) / spent.took_s),
    ]
    if warm:
        growth = GROWTH.figure(NAME, max(0.0, grown / warm * 100))
        figures = [growth, *figures, GIVEN_BACK.figure(NAME, left / 2**20)]
    return figures


SCENARIO = Scenario(NAME, "connect and leave, again and again", run)
