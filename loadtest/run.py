"""One run of the swarm: a server, its clients, and the scenarios one after the other."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from loadtest import scenarios
from loadtest.measure import Figure, as_json, machine
from loadtest.plan import Plan
from loadtest.recorder import Recorder
from loadtest.stack import Cost, cost_of
from loadtest.stage import Scenario, Stage
from loadtest.swarm.swarm import Swarm, SwarmStuck, shards_for
from loadtest.target import Remote, Target, own_target, remote_target

NAME = "swarm"
_DRIVER, _CONTROL = "driver", "control"
_PROMISES = "promises"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has found: the figures, and everything for the report."""

    figures: list[Figure]
    record: dict[str, Any]


def chosen(names: Sequence[str], *, own: bool) -> list[Scenario]:
    """Return the scenarios to run, all of them where none is named; connecting is always first.

    Against a server that is not our own those are left out that kill, drain or feed it.
    """
    first = scenarios.ALL[0]
    wanted = [each for each in scenarios.ALL if each is first or not names or each.name in names]
    return [each for each in wanted if own or not each.own]


async def run(plan: Plan, *, remote: Remote | None = None, names: Sequence[str] = ()) -> Outcome:
    """Run scenarios against a server of our own, or a remote one, for as long as the plan allows."""
    todo = chosen(names, own=remote is None)
    shards, recorder = shards_for(plan.clients), Recorder()
    async with AsyncExitStack() as parts:
        kafka = any(each.kafka for each in todo)
        serving = remote_target(remote, plan, shards=shards) if remote else own_target(plan, shards=shards, kafka=kafka)
        target = await parts.enter_async_context(serving)
        swarm = await parts.enter_async_context(Swarm(target.setup, on_report=recorder.report))
        await parts.enter_async_context(_sampling(recorder, target, swarm))
        figures = await _play(todo, Stage(swarm, target, plan, recorder))
        about = {"target": target.name, "plan": asdict(plan), "tally": swarm.tally.counts(), "closes": swarm.closes}
    return Outcome(figures, {**_about(about), "figures": as_json(figures), "timeline": recorder.timeline()})


async def _play(todo: Sequence[Scenario], stage: Stage) -> list[Figure]:
    """Run scenarios one after the other; one that does not come to its end is a missed budget, and the last."""
    figures: list[Figure] = []
    recorder = stage.recorder
    for scenario in todo:
        left_s = stage.plan.limit_s - recorder.now_s()
        print(f"{recorder.now_s():6.1f} s  {scenario.name}: {scenario.about}", flush=True)
        with recorder.mark(scenario.name):
            found, finished = await _finish(scenario, stage, timeout_s=left_s)
        figures += found
        if not finished:
            break
    with suppress(SwarmStuck):
        await stage.swarm.settled()
    return figures + promises(stage.swarm)


async def _finish(scenario: Scenario, stage: Stage, *, timeout_s: float) -> tuple[list[Figure], bool]:
    """Return what a scenario has found, and whether it came to its end within the time that is left."""
    figures: list[Figure] = []
    stuck: list[BaseException] = []
    try:
        async with asyncio.timeout(timeout_s):
            figures += await scenario.run(stage)
    except* SwarmStuck as group:
        stuck += group.exceptions
    except* TimeoutError:
        stuck.append(TimeoutError(f"the run took longer than {stage.plan.limit_s:g} s"))
    figures += [Figure(scenario.name, str(each), 1, "", budget=0) for each in stuck]
    return figures, not stuck


def promises(swarm: Swarm) -> list[Figure]:
    """Return what no client may ever see, and anything else that was wrong."""
    tally = swarm.tally
    kept = [
        Figure(_PROMISES, "publications received", tally.received, ""),
        Figure(_PROMISES, "publications seen twice", tally.doubles, "", budget=0),
        Figure(_PROMISES, "holes in a topic", tally.holes, "", budget=0),
        Figure(_PROMISES, "reconnects without recovery", tally.unrecovered, "", budget=0),
    ]
    return kept + [Figure(_PROMISES, what, count, "", budget=0) for what, count in tally.errors.items()]


def _about(more: dict[str, Any]) -> dict[str, Any]:
    started = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return {"at": started, "machine": machine(), **more}


@asynccontextmanager
async def _sampling(recorder: Recorder, target: Target, swarm: Swarm) -> AsyncIterator[None]:
    """Take the costs of the server and of the swarm itself every second."""
    driving = {f"{_DRIVER}.{number}": psutil.Process(pid) for number, pid in enumerate(swarm.pids)}
    driving[_CONTROL] = psutil.Process(os.getpid())

    def costs() -> dict[str, Cost]:
        seen = target.costs()
        for name, process in driving.items():
            with suppress(psutil.NoSuchProcess):
                seen[name] = cost_of(process)
        return seen

    task = asyncio.create_task(recorder.sample(costs))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
