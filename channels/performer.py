"""Carries out what the ladder decides about one job: calls the provider, and writes down what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import assert_never

from msgspec.structs import replace

from channels.channel import DeliveryChannel, LeaseLost
from channels.digest import GATHERED, Digester
from channels.in_hand import InHand
from channels.ladder import (
    Broken,
    Bury,
    Delivered,
    Done,
    Gather,
    Impossible,
    Limits,
    Move,
    Refused,
    Result,
    Retry,
    Send,
    Unclear,
    Wait,
    next_move,
)
from channels.mishaps import Mishaps
from channels.ports import Appearances, JobQueue, SuppressionList
from hub.domain.channels import Channel
from hub.domain.errors import (
    InputError,
    PermanentDeliveryError,
    StoreUnavailable,
    TransientDeliveryError,
    UnknownDeliveryError,
)
from hub.domain.notifications import APPEARANCE, Job
from hub.domain.rulings import Allow, Drop, Hold
from hub.observe import DELIVERIES, DELIVERY_SECONDS, logger
from hub.store.digests import Gathering
from hub.store.jobs import Claimed, Note
from hub.store.records import Attempt, RecordedRuling

_log = logger(__name__)
_DETAIL_MAX = 200
_STORE_WAIT_S = 0.5
_BURIED = "buried"
_LOST_LEASE = "lost_lease"
_HELD = "held"
_VERDICTS: Mapping[type[Allow | Hold | Drop], str] = {Allow: "send", Hold: "hold", Drop: "drop"}


class Performer:
    """Does one job at a time for each caller; safe to call concurrently. Never raises a delivery's failure."""

    def __init__(
        self,
        *,
        channels: Mapping[Channel, DeliveryChannel],
        jobs: JobQueue,
        digester: Digester,
        appearances: Appearances,
        suppressions: SuppressionList,
        limits: Limits,
        lease_s: float,
        clock: Callable[[], int],
        mishaps: Mishaps | None = None,
    ) -> None:
        """Take `lease_s`, to which a lease is prolonged when a call begins: longer than any call takes."""
        self._channels = channels
        self._jobs = jobs
        self._digester = digester
        self._appearances = appearances
        self._suppressions = suppressions
        self._limits = limits
        self._lease_ms = round(lease_s * 1_000)
        self._clock = clock
        self._mishaps = mishaps or Mishaps()

    async def perform(self, hand: InHand, *, began: Callable[[], None]) -> None:
        """Do a job to its next resting place. `began` is told when the provider may take the message from now on.

        Raises StoreUnavailable where Redis stays away: the lease then runs out and somebody takes the job again.
        """
        move = next_move(hand.claimed.job, hand.facts, limits=self._limits)
        if hand.claimed.job.digest and isinstance(move, Send | Done):
            closed = await self._close(hand)
            if closed is None:
                _report(hand, _LOST_LEASE)
                return
            hand, move = closed, next_move(closed.claimed.job, closed.facts, limits=self._limits)
        provider_id = ""
        if isinstance(move, Send):
            appears = hand.claimed.job.step == APPEARANCE
            result = await (self._appear(hand, began) if appears else self._call(hand, began))
            if result is None:
                _report(hand, _LOST_LEASE)
                return
            now = _later(hand, self._clock())
            move = next_move(now.claimed.job, now.facts, result, limits=self._limits)
            provider_id = result.provider_id if isinstance(result, Delivered) else ""
        await self._settle(hand, move, provider_id)

    async def put_off(self, hand: InHand, error: Exception) -> None:
        """Try a job later that cannot be begun, or put it aside after its last try. Raises StoreUnavailable."""
        cannot = Refused(f"it cannot be begun: {type(error).__name__}: {error}"[:_DETAIL_MAX])
        await self._settle(hand, next_move(hand.claimed.job, hand.facts, cannot, limits=self._limits), "")

    async def _close(self, hand: InHand) -> InHand | None:
        """Close the digest of a closing job; return it with what there is to tell, None where it was no longer ours."""
        contents = await self._digester.close(hand.claimed, hand.person, hand.facts)
        if contents is None:
            return None
        return replace(hand, contents=contents, facts=replace(hand.facts, gathered=contents.jobs))

    async def _appear(self, hand: InHand, began: Callable[[], None]) -> Result | None:
        """Put a notification that was sent ahead of its time into the inbox; None where it was no longer ours to do."""
        now_ms = self._clock()
        if not await self._jobs.begin(hand.claimed, lease_until_ms=now_ms + self._lease_ms):
            return None
        began()
        # The waits of its ladder start when it appears, however late that is.
        try:
            await self._appearances.notify([replace(hand.claimed.job.notification, created_ms=now_ms)])
        except InputError as error:
            return Broken(str(error))
        return Delivered()

    async def _call(self, hand: InHand, began: Callable[[], None]) -> Result | None:
        """Return what became of the call, None where the job was no longer ours."""
        begun = False

        async def committing() -> None:
            nonlocal begun
            if not await self._jobs.begin(hand.claimed, lease_until_ms=self._clock() + self._lease_ms):
                raise LeaseLost("the job has passed to somebody else")
            begun = True
            began()

        channel = self._channels[hand.claimed.job.channel]
        started_s = time.monotonic()
        try:
            provider_id = await channel.send(hand.message, hand.person, address=hand.address, committing=committing)
        except LeaseLost:
            return None
        except TransientDeliveryError as error:
            return Refused(_reason(error, hand), error.retry_after_s, begun=begun, provider_down=error.provider_down)
        except PermanentDeliveryError as error:
            return Impossible(_reason(error, hand), suppress=error.suppress)
        except UnknownDeliveryError as error:
            return Unclear(_reason(error, hand))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a bug in a channel or a template must not lose the job.
            _log.exception("delivery_broken", job=hand.claimed.job.id, channel=channel.name)
            reason = f"{type(error).__name__}: {_reason(error, hand)}"
            # Where a bug struck after the call began, the provider may have the message.
            return Unclear(reason) if begun else Broken(reason)
        finally:
            DELIVERY_SECONDS.labels(channel.name).observe(time.monotonic() - started_s)
        return Delivered(provider_id)

    async def _settle(self, hand: InHand, move: Move, provider_id: str) -> None:
        claimed = hand.claimed
        match move:
            case Done(outcome, reason, followed_by, suppress):
                if suppress:
                    await self._written(lambda: self._suppress(hand, reason), claimed)
                # Of what was dropped the ruling says it all: there was no attempt.
                noted = "" if isinstance(hand.facts.ruling, Drop) else outcome
                finish = partial(
                    self._jobs.finish,
                    outcome=noted,
                    provider_id=provider_id,
                    detail=reason,
                    ruling=_ruling(hand),
                    notes=self._notes(hand, outcome, provider_id=provider_id, reason=reason),
                )
                kept = await self._written(lambda: finish(claimed, followed_by=followed_by), claimed)
            case Retry(outcome, reason, due_ms, unknown, down_since_ms):
                retry = partial(self._jobs.retry, unknown=unknown, outcome=outcome, down_since_ms=down_since_ms)
                kept = await self._written(lambda: retry(claimed, due_ms, reason), claimed)
            case Wait(reason, due_ms):
                outcome = _HELD
                kept = await self._written(lambda: self._hold(hand, due_ms), claimed)
            case Bury(reason, followed_by):
                outcome = _BURIED
                kept = await self._written(lambda: self._bury(hand, reason, followed_by), claimed)
            case Gather():
                outcome, reason = GATHERED, ""
                kept = await self._gather(hand)
            case Send():
                raise AssertionError("a call's result never leads to another call in one go")
            case _:
                assert_never(move)
        _report(hand, outcome if kept else _LOST_LEASE, reason)
        if kept:
            self._mishaps.note(claimed.job, outcome, reason, tries=claimed.claims + 1, at_ms=self._clock())

    async def _hold(self, hand: InHand, until_ms: int) -> bool:
        ruling = _ruling(hand)
        if ruling is None:
            raise AssertionError("a job is held by a ruling")
        return await self._jobs.hold(hand.claimed, until_ms, ruling=ruling)

    async def _suppress(self, hand: InHand, reason: str) -> bool:
        await self._suppressions.add(hand.claimed.job.channel, hand.address, reason=reason)
        return True

    async def _bury(self, hand: InHand, reason: str, followed_by: Sequence[Job]) -> bool:
        if followed_by:
            await self._jobs.schedule_many(followed_by)
        return await self._jobs.bury(hand.claimed, reason, notes=self._notes(hand, _BURIED, reason=reason))

    async def _gather(self, hand: InHand) -> bool:
        """Move a job into the person's digest. One that is full has given it back, and closes."""
        return await self._digester.gather(hand.claimed, now_ms=self._clock()) is not Gathering.LOST

    def _notes(self, hand: InHand, outcome: str, *, provider_id: str = "", reason: str = "") -> list[Note]:
        """Return what the records of the single notifications in a digest say."""
        if hand.contents is None:
            return []
        job, now_ms = hand.claimed.job, self._clock()
        attempt = Attempt(now_ms, job.step, hand.claimed.attempt, job.channel, outcome, provider_id, reason)
        return hand.contents.notes(hand.claimed, attempt)

    async def _written(self, write: Callable[[], Awaitable[bool]], claimed: Claimed) -> bool:
        """Write, trying again while the lease may still be ours: what the provider has taken must not be forgotten."""
        until_ms = max(claimed.lease_until_ms, self._clock() + self._lease_ms)
        while True:
            try:
                return await write()
            except StoreUnavailable:
                if self._clock() >= until_ms:
                    raise
                await asyncio.sleep(_STORE_WAIT_S)


def _later(hand: InHand, now_ms: int) -> InHand:
    """Return the job with the time moved on: waits start when the provider has answered."""
    return replace(hand, facts=replace(hand.facts, now_ms=now_ms))


def _ruling(hand: InHand) -> RecordedRuling | None:
    """Return the ruling on a job for its notification's record."""
    ruling, job = hand.facts.ruling, hand.claimed.job
    if ruling is None:
        return None
    return RecordedRuling(
        at_ms=hand.facts.now_ms,
        step=job.step,
        number=hand.claimed.claims,
        channel=job.channel,
        verdict=_VERDICTS[type(ruling)],
        reason=ruling.reason,
        until_ms=ruling.until_ms if isinstance(ruling, Hold) else None,
        ends=isinstance(ruling, Drop) and ruling.ends,
    )


def _reason(error: Exception, hand: InHand) -> str:
    """Return what an error says, bounded and without the address: it goes to logs, records and dead letters."""
    return str(error).replace(hand.address, "<address>")[:_DETAIL_MAX]


def _report(hand: InHand, outcome: str, reason: str = "") -> None:
    job = hand.claimed.job
    DELIVERIES.labels(job.channel, outcome).inc()
    _log.info(
        "delivery",
        notification=job.notification.id,
        channel=job.channel,
        outcome=outcome,
        reason=reason,
        tries=hand.claimed.claims + 1,
        correlation_id=job.notification.correlation_id,
    )
