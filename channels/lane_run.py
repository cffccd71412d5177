"""One lane of the runner: its claim loop, the jobs it has in hand, and its drain."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence

from channels.in_hand import Briefing, InHand
from channels.performer import Performer
from channels.ports import JobQueue
from hub.domain.errors import StoreUnavailable
from hub.domain.notifications import Lane
from hub.observe import STORE_ERRORS, logger
from hub.store.jobs import Claimed

_log = logger(__name__)
_STORE_WAIT_MAX_S = 5.0
_WORTH_A_CLAIM = 4
"""A claim is made when a quarter of the lane's places is free, or when the poll time has passed."""


class LaneRun:
    """Claims and performs jobs of one lane, at most `share` at once."""

    def __init__(
        self,
        lane: Lane,
        *,
        share: int,
        jobs: JobQueue,
        briefing: Briefing,
        performer: Performer,
        clock: Callable[[], int],
        lease_s: float,
        poll_s: float,
    ) -> None:
        self._lane = lane
        self._share = share
        self._jobs = jobs
        self._briefing = briefing
        self._performer = performer
        self._clock = clock
        self._lease_ms = round(lease_s * 1_000)
        self._poll_s = poll_s
        self._running: dict[asyncio.Task[None], Claimed] = {}
        self._begun: set[str] = set()
        self._failures = 0

    async def run(self, stop: asyncio.Event, *, drain_s: float) -> None:
        """Work until `stop` is set; then finish what is in hand, for `drain_s` at most, and give back the rest."""
        try:
            while not stop.is_set():
                await self._work(stop)
            await self._drain(drain_s)
        finally:
            for task in self._running:
                task.cancel()

    async def _work(self, stop: asyncio.Event) -> None:
        room = self._share - len(self._running)
        if room < max(1, self._share // _WORTH_A_CLAIM) and await self._one_is_done(stop):
            return
        hands = await self._claim(self._share - len(self._running))
        for hand in hands:
            self._start(hand)
        if not hands:
            await wait_for(stop, self._pause_s())

    async def _one_is_done(self, stop: asyncio.Event) -> bool:
        """Wait for a place to become free; False: a poll time has passed."""
        done, _ = await asyncio.wait(self._running, timeout=self._poll_s, return_when=asyncio.FIRST_COMPLETED)
        return bool(done) or stop.is_set() or len(self._running) == self._share

    async def _claim(self, room: int) -> list[InHand]:
        claimed: list[Claimed] = []
        try:
            claimed = await self._jobs.claim(lane=self._lane, now_ms=self._clock(), lease_ms=self._lease_ms, limit=room)
            hands = await self._brief(claimed) if claimed else []
        except StoreUnavailable as error:
            # What was claimed comes back when its lease runs out.
            self._failures += 1
            STORE_ERRORS.labels("jobs claim").inc()
            _log.warning("claim_failed", lane=self._lane.value, problem=str(error), failures=self._failures)
            return []
        self._failures = 0
        return hands

    async def _brief(self, claimed: Sequence[Claimed]) -> list[InHand]:
        """Return jobs with their facts. One whose facts cannot be found out is put off, and the others are not."""
        try:
            return await self._briefing.about(claimed)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - what is broken about one job must not hold up its lane
            if len(claimed) == 1:
                _log.exception("job_put_off", job=claimed[0].job.id)
                await self._performer.put_off(self._briefing.without_facts(claimed[0]), error)
                return []
        middle = len(claimed) // 2
        return [*await self._brief(claimed[:middle]), *await self._brief(claimed[middle:])]

    def _pause_s(self) -> float:
        """How long to wait with nothing to do: the poll time, or after failures of Redis longer and longer."""
        if not self._failures:
            return self._poll_s
        return max(
            self._poll_s, random.random() * min(_STORE_WAIT_MAX_S, self._poll_s * 2.0 ** min(self._failures, 16))
        )

    def _start(self, hand: InHand) -> None:
        task = asyncio.create_task(self._perform(hand), name=f"job {hand.claimed.job.id}")
        self._running[task] = hand.claimed
        task.add_done_callback(self._ended)

    async def _perform(self, hand: InHand) -> None:
        token = hand.claimed.job.id
        try:
            await self._performer.perform(hand, began=lambda: self._begun.add(token))
        except StoreUnavailable as error:
            STORE_ERRORS.labels("jobs finish").inc()
            _log.warning("job_left_to_its_lease", job=hand.claimed.job.id, problem=str(error))
        finally:
            self._begun.discard(token)

    def _ended(self, task: asyncio.Task[None]) -> None:
        claimed = self._running.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A bug: the job comes back when its lease runs out, and is buried after its last try.
            _log.error("job_crashed", job=claimed.job.id, exc_info=error)

    async def _drain(self, drain_s: float) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=drain_s)
        unbegun = [claimed for claimed in self._running.values() if claimed.job.id not in self._begun]
        left = list(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        with contextlib.suppress(StoreUnavailable):  # Then their leases run out instead.
            await asyncio.gather(*(self._give_back(claimed) for claimed in unbegun))

    async def _give_back(self, claimed: Claimed) -> None:
        reason, since_ms = "the worker was stopped", claimed.down_since_ms
        await self._jobs.retry(claimed, self._clock(), reason, outcome="released", down_since_ms=since_ms)


async def wait_for(stop: asyncio.Event, seconds: float) -> None:
    """Return when `stop` is set or the time has passed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
