"""How notifications stand while their steps wait: seen, called off, or replaced by a newer one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from channels.ports import Entries, JobQueue
from hub.domain.ids import UserId
from hub.domain.notifications import APPEARANCE, EntryState, Job


class Standing(msgspec.Struct, frozen=True):
    """How the notification of one job stands."""

    state: EntryState | None
    """How far the person has come with its entry; None where that left the inbox before it was seen."""
    cancelled: bool
    replaced: bool


class Standings:
    """Finds out how notifications stand, for many jobs in a few round trips. Raises StoreUnavailable."""

    def __init__(self, jobs: JobQueue, entries: Entries) -> None:
        self._jobs = jobs
        self._entries = entries

    async def of(self, jobs: Sequence[Job]) -> list[Standing]:
        """Return how each job's notification stands, in the same order."""
        states, cancelled, replaced = await asyncio.gather(
            self._entries.state_of_many([(job.notification.user, job.notification.id) for job in jobs]),
            self._jobs.are_cancelled(jobs),
            self._are_replaced(jobs),
        )
        return [Standing(*each) for each in zip(states, cancelled, replaced, strict=True)]

    async def _are_replaced(self, jobs: Sequence[Job]) -> list[bool]:
        """Say of each whether a newer one of its collapse key has come; no round trip where none has such a key."""
        keyed = [job for job in jobs if job.notification.collapse_key]
        if not keyed:
            return [False] * len(jobs)
        ahead = [_collapsed(job) for job in keyed if job.step == APPEARANCE]
        there = [_collapsed(job) for job in keyed if job.step != APPEARANCE]
        awaited, newest = map(
            iter, await asyncio.gather(self._entries.awaited_of_many(ahead), self._entries.newest_of_many(there))
        )
        known = {job.id: next(awaited if job.step == APPEARANCE else newest) for job in keyed}
        return [known.get(job.id) not in {None, job.notification.id} for job in jobs]


def _collapsed(job: Job) -> tuple[UserId, str]:
    return job.notification.user, job.notification.collapse_key or ""
