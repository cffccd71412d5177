"""Works bulks off: puts the message into inboxes and starts ladders, at a pace that leaves Redis to the others.

Runs beside the delivery of jobs. A worker goes on with one bulk at a time, under a lease, chunk by chunk; whatever it
was doing when it died is done again by another one and repeats nothing. What breaks one bulk holds up no other: it is
tried again when its lease has run out, until it is forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from hub.domain.bulks import BulkId, BulkOutcome, Recipient, notification_of
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import UserId
from hub.domain.notifications import Job, Notification, job_id
from hub.observe import BULKS_BROKEN, STORE_ERRORS, logger
from hub.service.sending.notifications import Sending
from hub.store.bulks import CHUNK, Bulks, Progress
from hub.store.segments import Segments
from templates.texts import TemplateError

_log = logger(__name__)
_LEASE_MS = 30_000
_POLL_S = 0.5
_STORE_WAIT_S = 2.0
_MS = 1_000
_AFTER = "after:"
"""How a place in a segment begins: the last person who was reached follows."""


class Sender(Protocol):
    """Carries notifications out (hub.service.intake.effects). Raises StoreUnavailable."""

    async def notify_each(self, notifications: Sequence[Notification], /) -> Sequence[Sending | TemplateError]:
        """Return what became of each."""
        ...


class Queue(Protocol):
    """The delay queue (hub.store.jobs). Raises StoreUnavailable."""

    async def climb_again(self, first_jobs: Sequence[Job], /) -> None:
        """Begin ladders that are over anew."""
        ...


class BulkExpansion:
    """Goes on with bulks until it is told to stop."""

    def __init__(
        self,
        bulks: Bulks,
        segments: Segments,
        *,
        sender: Sender,
        jobs: Queue,
        per_second: float,
        clock: Callable[[], int],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take `per_second`: people reached by this worker at most. `clock` gives Unix ms."""
        self._bulks = bulks
        self._segments = segments
        self._sender = sender
        self._jobs = jobs
        self._pause_s = CHUNK / per_second
        self._clock = clock
        self._monotonic_s = monotonic_s

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; a chunk in hand is finished. Redis' absence is waited out."""
        while not stop.is_set():
            try:
                bulk = await self._bulks.claim(lease_ms=_LEASE_MS)
                if bulk is None:
                    await _wait_for(stop, _POLL_S)
                else:
                    await self._attend_to(bulk, stop)
            except StoreUnavailable as error:
                STORE_ERRORS.labels("bulk").inc()
                _log.warning("bulk_interrupted", problem=str(error))
                await _wait_for(stop, _STORE_WAIT_S)

    async def _attend_to(self, bulk: BulkId, stop: asyncio.Event) -> None:
        """Go on with a bulk; leave one to its lease that is broken, or that a newer version has written."""
        try:
            await self._work_off(bulk, stop)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the other bulks and all jobs go on
            BULKS_BROKEN.inc()
            _log.exception("bulk_broken", bulk=bulk, tried_again_s=_LEASE_MS // _MS)

    async def _work_off(self, bulk: BulkId, stop: asyncio.Event) -> None:
        progress = await self._progress(bulk)
        while progress is not None and not progress.over and not stop.is_set():
            began_s = self._monotonic_s()
            progress = await self._step(progress)
            if progress is not None and not progress.over:
                await self._bulks.keep(bulk, lease_ms=_LEASE_MS)
                await _wait_for(stop, began_s + self._pause_s - self._monotonic_s())
        if progress is not None and not progress.over:
            await self._bulks.give_back(bulk)

    async def _progress(self, bulk: BulkId) -> Progress | None:
        """Return how far a claimed bulk is; None where it has been forgotten."""
        progress = await self._bulks.progress(bulk)
        if progress is None or progress.over:
            # Forgotten or done.
            await self._bulks.leave(bulk)
        return progress

    async def _step(self, progress: Progress) -> Progress | None:
        """Reach the next people of a bulk; return the new progress, None where somebody else has gone on."""
        recipients, place = await self._next(progress)
        if recipients and progress.round_number == 0:
            await self._send(progress, recipients)
        elif recipients:
            await self._send_again(progress, recipients)
        return await self._bulks.advance(progress, place, people=len(recipients))

    async def _next(self, progress: Progress) -> tuple[list[Recipient], str | None]:
        """Return the next people, and the place after them: None where they are the last."""
        bulk = progress.bulk
        if bulk.segment:
            after = progress.place.removeprefix(_AFTER)
            users = await self._segments.page(bulk.segment, bulk.generation, after=after, limit=CHUNK)
            return [Recipient(user) for user in users], _AFTER + users[-1] if len(users) == CHUNK else None
        chunk = int(progress.place or 0)
        return await self._bulks.rows(bulk.id, chunk), str(chunk + 1) if chunk + 1 < bulk.chunks else None

    async def _send(self, progress: Progress, recipients: Sequence[Recipient]) -> None:
        bulk = progress.bulk
        notifications = [notification_of(bulk, recipient) for recipient in recipients]
        results = await self._notify_each(notifications)
        known: dict[UserId, BulkOutcome] = {}
        for recipient, result in zip(recipients, results, strict=True):
            outcome = _outcome(result, climbs=bool(bulk.ladder))
            if outcome is not None:
                known[recipient.user] = outcome
        await self._bulks.outcomes.note_many(bulk.id, known)

    async def _notify_each(self, notifications: Sequence[Notification]) -> list[Sending | Exception]:
        """Return what became of each; of one that breaks the sending of all, its error: the others are sent."""
        try:
            return [*await self._sender.notify_each(notifications)]
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - what is broken about one person must not hold up the others
            if len(notifications) == 1:
                _log.exception("bulk_recipient_refused", notification=notifications[0].id)
                return [error]
        middle = len(notifications) // 2
        return [*await self._notify_each(notifications[:middle]), *await self._notify_each(notifications[middle:])]

    async def _send_again(self, progress: Progress, recipients: Sequence[Recipient]) -> None:
        """Begin the ladder anew for those for whom it has failed."""
        bulk, users = progress.bulk, [recipient.user for recipient in recipients]
        failed = set(await self._bulks.outcomes.reclaim(bulk.id, users, round_number=progress.round_number))
        chosen = [notification_of(bulk, recipient) for recipient in recipients if recipient.user in failed]
        now_ms = self._clock()
        await self._jobs.climb_again([_first_job(each, now_ms) for each in chosen])


def _outcome(result: Sending | Exception, *, climbs: bool) -> BulkOutcome | None:
    """Return what became of it for a person, None: the steps of the ladder will tell."""
    if isinstance(result, Exception):
        return BulkOutcome.REFUSED
    if result is Sending.DROPPED:
        return BulkOutcome.SKIPPED
    return None if climbs else BulkOutcome.SENT


def _first_job(notification: Notification, now_ms: int) -> Job:
    wait_ms = round(notification.ladder[0].after_s * _MS)
    return Job(id=job_id(notification.id, 0), step=0, notification=notification, due_ms=now_ms + wait_ms)


async def _wait_for(stop: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()
