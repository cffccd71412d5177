"""The runner of the ladder: every lane claims due jobs and has them performed, until it is told to stop.

Lanes share nothing but the process: each has a claim loop and a share of the concurrency of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from channels.in_hand import Briefing
from channels.lane_run import LaneRun, wait_for
from channels.lanes import shares
from channels.performer import Performer
from channels.ports import JobQueue
from hub.domain.errors import StoreUnavailable
from hub.domain.notifications import Lane
from hub.observe import QUEUE_DEPTH, STORE_ERRORS

DRAIN_S = 20.0
POLL_S = 0.1
"""How long an idle lane waits before it looks again."""
_DEPTH_EVERY_S = 5.0


class Runner:
    """Runs all lanes of one worker."""

    def __init__(
        self,
        *,
        jobs: JobQueue,
        briefing: Briefing,
        performer: Performer,
        clock: Callable[[], int],
        concurrency: int = 64,
        lease_s: float = 30.0,
        poll_s: float = POLL_S,
    ) -> None:
        """Take `concurrency`: jobs in hand at once, all lanes together. `clock` gives Unix ms."""
        self._jobs = jobs
        self._lanes = [
            LaneRun(
                lane,
                share=share,
                jobs=jobs,
                briefing=briefing,
                performer=performer,
                clock=clock,
                lease_s=lease_s,
                poll_s=poll_s,
            )
            for lane, share in shares(concurrency).items()
        ]

    async def run(self, stop: asyncio.Event, *, drain_s: float = DRAIN_S) -> None:
        """Work until `stop` is set, then drain: finish what is in hand, for `drain_s` at most, and give back the rest.

        Cancelling it instead gives nothing back: the jobs in hand return when their leases run out.
        """
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(lane.run(stop, drain_s=drain_s))
            tasks.create_task(self._measure(stop))

    async def _measure(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                depth = await self._jobs.depth()
            except StoreUnavailable:
                STORE_ERRORS.labels("jobs depth").inc()
                depth = dict[Lane, int]()
            for lane, count in depth.items():
                QUEUE_DEPTH.labels(lane.value).set(count)
            await wait_for(stop, _DEPTH_EVERY_S)
