"""Scripts run together: what many tasks ask for at the same time goes to Redis in one round trip.

A delivery worker begins and finishes hundreds of jobs a second, each in a task of its own. One trip for each would cost
more than sending the mail; while one trip is under way, whatever is asked meanwhile gathers for the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from hub.store.scripts import Call, Script, ScriptFailed, Scripts

CALLS_PER_TRIP = 500


class _Asked(msgspec.Struct, frozen=True):
    calls: Sequence[tuple[Script, Call]]
    answer: asyncio.Future[list[Any]]


class GroupedScripts(Scripts):
    """As `Scripts`, for many concurrent callers. Where Redis is away, all callers of a trip are told.

    A script that fails is only its own caller's trouble: the others' calls are run again, one caller at a time.
    A caller that is cancelled leaves its calls in the trip: their outcome is unknown to it, as with any write.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._waiting: deque[_Asked] = deque()
        self._trips: asyncio.Task[None] | None = None

    async def run_mixed(self, calls: Sequence[tuple[Script, Call]]) -> list[Any]:
        """Run calls of several scripts, together with those of other tasks, and return their replies in order."""
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(calls, answer))
        if self._trips is None:
            self._trips = asyncio.create_task(self._travel())
        return await answer

    async def _travel(self) -> None:
        try:
            while self._waiting:
                await self._trip(self._next_group())
        finally:
            self._trips = None

    def _next_group(self) -> list[_Asked]:
        group = [self._waiting.popleft()]
        size = len(group[0].calls)
        while self._waiting and size + len(self._waiting[0].calls) <= CALLS_PER_TRIP:
            group.append(self._waiting.popleft())
            size += len(group[-1].calls)
        return group

    async def _trip(self, group: Sequence[_Asked]) -> None:
        try:
            replies = await super().run_mixed([call for asked in group for call in asked.calls])
        except ScriptFailed as error:
            if len(group) == 1:
                _fail(group, error)
                return
            for asked in group:
                await self._trip([asked])
            return
        except Exception as error:  # noqa: BLE001 - it is raised again, by each of the callers.
            _fail(group, error)
            return
        start = 0
        for asked in group:
            end = start + len(asked.calls)
            if not asked.answer.done():
                asked.answer.set_result(replies[start:end])
            start = end


def _fail(group: Sequence[_Asked], error: Exception) -> None:
    for asked in group:
        if not asked.answer.done():
            asked.answer.set_exception(error)
