"""Comparing what this worker believes with what Redis has: finds publications that never arrived, and lost history."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from hub.domain.errors import StoreUnavailable
from hub.domain.topics import Position
from hub.gateway.directory import Directory
from hub.gateway.ports import Topics
from hub.gateway.recovery import Recovery
from hub.gateway.subscriptions import LiveTopic
from hub.gateway.tally import Tally
from hub.observe import logger

_BATCH = 100
"""Topics looked at in one round trip: less than a millisecond of the worker, and of Redis."""
_PAUSE_S = 0.005
"""Between two batches after a gap, so that others get their turn."""
_SETTLE_S = 1.0
"""How long a message may be on its way before it counts as lost."""
_RETRY_S = 0.5
_TIMEOUT_S = 10.0
_log = logger(__name__)


class PositionCheck:
    """Checks each topic every `interval_s`, and all of them at once after a gap in pub/sub.

    The checks are spread evenly over the interval: workers that were started together would otherwise ask Redis for all
    their topics in the same second, while everybody's messages wait.
    """

    def __init__(
        self, directory: Directory, topics: Topics, recovery: Recovery, tally: Tally, *, interval_s: float
    ) -> None:
        self._directory = directory
        self._topics = topics
        self._recovery = recovery
        self._tally = tally
        self._interval_s = interval_s
        self._gap = asyncio.Event()

    def gap(self) -> None:
        """Messages may have been missed: check everything now."""
        self._gap.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            after_gap = self._gap.is_set()
            self._gap.clear()
            try:
                await (self.check_now() if after_gap else self.check())
            except (StoreUnavailable, TimeoutError) as error:
                _log.warning("position_check_failed", error=str(error))
                if after_gap:
                    self._gap.set()
                await asyncio.sleep(_RETRY_S)

    async def check(self) -> None:
        """Check every topic once in the course of the interval; return early where there is a gap."""
        batches = self._batches()
        for batch in batches:
            if await self._gap_within(self._interval_s / len(batches)):
                return
            ahead = await self._compare(batch)
            if ahead:
                asyncio.get_running_loop().call_later(_SETTLE_S, self._missed, ahead, "check")
        if not batches:
            await self._gap_within(self._interval_s)

    async def check_now(self) -> None:
        """Check every topic. After a gap, whatever is missing is lost and not merely on its way."""
        for batch in self._batches():
            self._missed(await self._compare(batch), "reconnect")
            await asyncio.sleep(_PAUSE_S)

    def _batches(self) -> list[list[LiveTopic]]:
        topics = [topic for topic in self._directory if topic.subscribers and topic.recoverable and topic.known]
        return [topics[at : at + _BATCH] for at in range(0, len(topics), _BATCH)]

    async def _gap_within(self, wait_s: float) -> bool:
        """Wait, but not beyond a gap; return whether there is one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._gap.wait()
        return self._gap.is_set()

    async def _compare(self, batch: Sequence[LiveTopic]) -> Mapping[LiveTopic, Position]:
        """Return where Redis is ahead; deal with where it is behind or has begun anew."""
        heads = [topic.head for topic in batch]
        async with asyncio.timeout(_TIMEOUT_S):
            positions = await self._topics.positions([topic.name for topic in batch])
        ahead: dict[LiveTopic, Position] = {}
        for topic, head, position in zip(batch, heads, positions, strict=True):
            if position.epoch != topic.epoch:
                self._restart(topic, position)
            elif position.offset < head:
                await self._rotate(topic)
            elif position.offset > topic.head:
                ahead[topic] = position
        return ahead

    async def _rotate(self, topic: LiveTopic) -> None:
        """Redis has lost publications that clients were given: the offsets will be given again, to others."""
        async with asyncio.timeout(_TIMEOUT_S):
            await self._topics.rotate_epoch(topic.name, topic.epoch)
            (position,) = await self._topics.positions([topic.name])
        self._restart(topic, position)

    def _restart(self, topic: LiveTopic, position: Position) -> None:
        if position.epoch != topic.epoch:
            self._tally.gaps["epoch"] += 1
            self._recovery.restarted(topic, position)

    def _missed(self, ahead: Mapping[LiveTopic, Position], found_by: str) -> None:
        """Have read what has not arrived meanwhile."""
        for topic, position in ahead.items():
            if topic.head < position.offset and topic.heard_of(position):
                self._tally.gaps[found_by] += 1
                self._recovery.request_all(topic)
