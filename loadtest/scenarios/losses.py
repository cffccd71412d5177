"""What goes on while connections are lost: messages to all and to single people, none of which may be missed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from loadtest.pace import at_rate
from loadtest.stage import Stage

_TO_ALL = 3
_EVERY_S = 0.5
_PERSONAL_PER_S = 50.0


@dataclass(frozen=True, slots=True)
class Loss:
    """How a loss went. `back_s`: until everybody was connected and subscribed again."""

    lost: int
    back_s: float
    recovered: int
    refused: int
    unmet: int
    """Attempts to come back that nobody answered."""


async def survive(
    stage: Stage, series: str, lose: Callable[[], Awaitable[object]], *, every_s: float = _EVERY_S
) -> Loss:
    """Lose connections while messages go out, those to all `every_s`; return when all are back and have every one."""
    swarm, plan = stage.swarm, stage.plan
    before, closed = swarm.tally, sum(swarm.closes.values())
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        talking = tasks.create_task(_talk(stage, series, every_s))
        await lose()
        # Two reports later the loss shows in them.
        await swarm.settled()
        await swarm.settled()
        await swarm.all_live(timeout_s=plan.patience_s)
        back_s = time.monotonic() - began_s
    personal = talking.result()
    for number in range(_TO_ALL):
        await swarm.heard(f"{series}-all-{number}", plan.clients, timeout_s=plan.patience_s)
    await swarm.heard(f"{series}-one", personal, timeout_s=plan.patience_s)
    after = swarm.tally
    return Loss(
        lost=sum(swarm.closes.values()) - closed,
        back_s=back_s,
        recovered=after.recovered - before.recovered,
        refused=after.refused - before.refused,
        unmet=after.unmet - before.unmet,
    )


async def _talk(stage: Stage, series: str, every_s: float) -> int:
    """Publish to all and to single people; return how many of the latter."""

    async def act(numbers: range) -> None:
        await stage.target.hub.publish([stage.personal(f"{series}-one", number) for number in numbers])

    async def announce() -> None:
        for number in range(_TO_ALL):
            await stage.broadcast(f"{series}-all-{number}")
            await asyncio.sleep(every_s)

    announcing = asyncio.create_task(announce())
    sent = await at_rate(act, per_s=_PERSONAL_PER_S, seconds=_TO_ALL * every_s)
    await announcing
    return sent
