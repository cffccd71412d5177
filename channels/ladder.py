"""The ladder: what to do next with a due job, before the provider is called and after it has answered. Pure.

A job is one step of a ladder. Before the call: send, or skip. After it: done, try again, go on to the next step, or put
the job aside for an operator. `channels.performer` carries the moves out.

Promises kept here: nothing is sent that has been seen, called off or replaced, has expired, is for an erased person or
against a ruling (`hub.domain.rulings`); what is held waits and uses up no tries; a failure for good goes on to the next
step at once; of one step at most two calls can have an unknown outcome; an outage of a provider uses up no tries, for a
day from when it was found, however long the step had waited until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, assert_never

import msgspec

from channels.backoff import Backoff
from hub.domain.channels import Channel
from hub.domain.notifications import APPEARANCE, EntryState, Job, Lane, Step, job_id
from hub.domain.preferences import Pace
from hub.domain.rulings import Allow, Drop, Hold, Ruling

UNKNOWN_CALLS_MAX = 2
"""One intended send, and after a crash or a timeout at most one more."""
PATIENCE_MS = 86_400_000
"""For how long a step waits for a provider that it has found down, each time, and not up meanwhile."""
_MS = 1_000


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when a job is in hand."""

    now_ms: int
    state: EntryState | None = None
    """How far the person has come with the inbox entry; None where it has left the inbox and nobody has seen it."""
    erased: bool = False
    cancelled: bool = False
    """A service has called it off, by its cancel key or with its bulk."""
    replaced: bool = False
    """A newer notification of the same collapse key has taken its place."""
    gathered: tuple[Job, ...] | None = None
    """What the message of a digest tells, for the job that closes it; None before that has been looked at."""
    obstacle: str = ""
    """Why this channel cannot reach the person: no address, suppressed, channel not configured; empty: it can."""
    ruling: Ruling | None = None
    """What the person's preferences and the rules of the house say; None where nothing asked for them."""
    tries: int = 0
    """Claims before this one, whether or not they came to a call, but for those that found the provider down."""
    outages: int = 0
    """Claims before this one that found the provider down."""
    down_since_ms: int | None = None
    """Since when all claims before this one have found it down; None: the last one did not."""
    unknown_calls: int = 0
    """Earlier calls of this step that the provider may have taken."""
    resends_unknown: bool = True
    """The channel's policy: whether a call with an unknown outcome is made again."""
    jitter: float = 0.0
    """Random, from 0 up to 1."""


class Limits(msgspec.Struct, frozen=True):
    """How often and how long a step is tried."""

    max_tries: int = 8
    backoff: Backoff = Backoff()


class Delivered(msgspec.Struct, frozen=True, tag=True):
    """The provider has taken it."""

    provider_id: str = ""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A clean failure for now: nothing was taken.

    `begun` says that the call had got as far as being recorded, `provider_down` that it is no fault of the message.
    """

    reason: str
    retry_after_s: float | None = None
    begun: bool = False
    provider_down: bool = False


class Impossible(msgspec.Struct, frozen=True, tag=True):
    """It will never be taken. `suppress` says that the address itself is bad."""

    reason: str
    suppress: bool = False


class Unclear(msgspec.Struct, frozen=True, tag=True):
    """It may have been taken."""

    reason: str


class Broken(msgspec.Struct, frozen=True, tag=True):
    """Our own fault, such as a template that does not render: trying again helps only after somebody has mended it."""

    reason: str


Result: TypeAlias = Delivered | Refused | Impossible | Unclear | Broken


class Send(msgspec.Struct, frozen=True, tag=True):
    """Call the provider."""


class Done(msgspec.Struct, frozen=True, tag=True):
    """The step is over, one way or another. `outcome` is a word for the record and the metrics."""

    outcome: str
    reason: str = ""
    followed_by: tuple[Job, ...] = ()
    suppress: bool = False


class Gather(msgspec.Struct, frozen=True, tag=True):
    """Put the step into the person's open digest."""


class Retry(msgspec.Struct, frozen=True, tag=True):
    """Try the step again at `due_ms`."""

    outcome: str
    reason: str
    due_ms: int
    unknown: bool = False
    down_since_ms: int | None = None
    """Since when the provider is known to be down; None: it is not."""


class Wait(msgspec.Struct, frozen=True, tag=True):
    """Nothing is wrong: look at the step again at `due_ms`."""

    reason: str
    due_ms: int


class Bury(msgspec.Struct, frozen=True, tag=True):
    """Put the job aside for an operator, and let the ladder go on without it."""

    reason: str
    followed_by: tuple[Job, ...] = ()


Move: TypeAlias = Send | Gather | Done | Retry | Wait | Bury


def would_be_sent(job: Job, facts: Facts) -> bool:
    """Say whether a job would be sent if no ruling were against it."""
    return isinstance(_before_call(job, facts), Send)


def in_order(job: Job, preferred: Sequence[Channel]) -> Job:
    """Return a ladder's first job with the channels that the person prefers first; the waits stay where they are.

    Channels that the rule does not have are not added. Later jobs follow from the first; what is critical goes as the
    rule says.
    """
    ladder = job.notification.ladder
    if job.step or not preferred or job.lane is Lane.CRITICAL:
        return job
    ranks = {channel: rank for rank, channel in enumerate(preferred)}
    channels = sorted((step.channel for step in ladder), key=lambda channel: ranks.get(channel, len(ranks)))
    ordered = tuple(Step(channel, step.after_s) for channel, step in zip(channels, ladder, strict=True))
    return msgspec.structs.replace(job, notification=msgspec.structs.replace(job.notification, ladder=ordered))


def at_own_pace(job: Job, pace: Pace) -> Job:
    """Return a ladder's first job as the person wants it paced: how long it gathers, and the waits between its steps.

    Nobody waits less between steps than the rule says. What is critical goes as the rule says, and what has a throttle
    does not gather; nor does what closes a digest.
    """
    about = job.notification
    if job.step or job.digest or job.lane is Lane.CRITICAL or pace == Pace():
        return job
    ladder = about.ladder[:1] + tuple(Step(step.channel, max(step.after_s, pace.wait_s)) for step in about.ladder[1:])
    digest_s = about.digest_s if pace.digest_s is None or about.throttle is not None else pace.digest_s
    return msgspec.structs.replace(job, notification=msgspec.structs.replace(about, ladder=ladder, digest_s=digest_s))


def next_move(job: Job, facts: Facts, result: Result | None = None, *, limits: Limits) -> Move:
    """Return what to do with a job in hand: `result` is None before the call."""
    if result is None:
        return _before_call(job, facts)
    match result:
        case Delivered():
            return Done("delivered", followed_by=_next_steps(job, facts, waits=True))
        case Refused():
            return _try_again(job, facts, result, limits)
        case Impossible(reason, suppress):
            return Done("failed", reason, followed_by=_next_steps(job, facts), suppress=suppress)
        case Unclear(reason):
            return _after_unclear(job, facts, reason, limits)
        case Broken(reason):
            return Bury(reason, followed_by=_next_steps(job, facts))
        case _:
            assert_never(result)


def _before_call(job: Job, facts: Facts) -> Move:
    over = why_over(job, facts)
    if over is not None:
        return over
    if facts.gathered == ():
        return Done("skipped", "nothing in it is left to tell")
    if facts.obstacle:
        return Done("skipped", facts.obstacle, followed_by=_next_steps(job, facts))
    if facts.unknown_calls and not _may_resend(facts):
        return _given_up(job, facts, "an earlier call has no known outcome")
    if _gathers(job, facts):
        return Gather()
    match facts.ruling:
        case Hold(reason, until_ms):
            return Wait(reason, until_ms)
        case Drop(reason, ends):
            return Done("dropped", reason, followed_by=() if ends else _next_steps(job, facts))
        case Allow() | None:
            return Send()
        case _:
            assert_never(facts.ruling)


def why_over(job: Job, facts: Facts) -> Done | None:
    """Return how the whole ladder ends here, None where it goes on."""
    if facts.cancelled:
        return Done("cancelled", f"its {'bulk' if job.notification.bulk else 'cancel key'} has been cancelled")
    if facts.replaced:
        return Done("replaced", "a newer one of the same collapse key has taken its place")
    if facts.erased:
        return Done("skipped", "the person has been erased")
    if facts.state not in {None, EntryState.UNSEEN}:
        return Done("skipped", "it has been seen")
    if job.notification.expires_ms is not None and facts.now_ms >= job.notification.expires_ms:
        return Done("skipped", "it has expired")
    return None


def _gathers(job: Job, facts: Facts) -> bool:
    """Say whether a step goes into a digest: not where it would have expired when that closes."""
    about = job.notification
    if not about.digest_s or job.step == APPEARANCE or about.lane is Lane.CRITICAL or facts.unknown_calls:
        return False
    return about.expires_ms is None or facts.now_ms + about.digest_s * _MS < about.expires_ms


def _may_resend(facts: Facts) -> bool:
    return facts.resends_unknown and facts.unknown_calls < UNKNOWN_CALLS_MAX


def _try_again(job: Job, facts: Facts, result: Refused, limits: Limits) -> Move:
    if result.provider_down:
        return _wait_for_provider(job, facts, result, limits)
    tries = facts.tries + 1
    if tries >= limits.max_tries:
        return Bury(f"tried {tries} times, last: {result.reason}", followed_by=_next_steps(job, facts))
    return _retry(facts, result, limits)


def _wait_for_provider(job: Job, facts: Facts, result: Refused, limits: Limits) -> Move:
    since_ms = facts.now_ms if facts.down_since_ms is None else facts.down_since_ms
    if facts.now_ms >= since_ms + PATIENCE_MS:
        return Bury(f"its provider was down for a day, last: {result.reason}", followed_by=_next_steps(job, facts))
    return _retry(facts, result, limits, down_since_ms=since_ms)


def _retry(facts: Facts, result: Refused, limits: Limits, *, down_since_ms: int | None = None) -> Retry:
    claims = facts.tries + facts.outages + 1
    wait_s = limits.backoff.wait_s(claims, jitter=facts.jitter, retry_after_s=result.retry_after_s)
    outcome = "refused" if result.begun else "deferred"
    return Retry(outcome, result.reason, facts.now_ms + round(wait_s * _MS), down_since_ms=down_since_ms)


def _after_unclear(job: Job, facts: Facts, reason: str, limits: Limits) -> Move:
    after = msgspec.structs.replace(facts, unknown_calls=facts.unknown_calls + 1)
    if not _may_resend(after) or facts.tries + 1 >= limits.max_tries:
        return _given_up(job, facts, reason)
    wait_s = limits.backoff.wait_s(facts.tries + 1, jitter=facts.jitter)
    return Retry("unknown", reason, facts.now_ms + round(wait_s * _MS), unknown=True)


def _given_up(job: Job, facts: Facts, reason: str) -> Done:
    """It probably arrived: the ladder goes on as after a delivery, with its wait."""
    return Done("unknown", reason, followed_by=_next_steps(job, facts, waits=True))


def _next_steps(job: Job, facts: Facts, *, waits: bool = False) -> tuple[Job, ...]:
    """Return what follows a job: the next step of its ladder, or of each one that the message of a digest tells."""
    jobs = (job,) if facts.gathered is None else facts.gathered
    following = (_next_step(each, facts.now_ms, waits=waits) for each in jobs)
    return tuple(each for each in following if each is not None)


def _next_step(job: Job, now_ms: int, *, waits: bool = False) -> Job | None:
    """Return the job of the ladder's next step: after its wait, or at once where this step came to nothing."""
    number = job.step + 1
    ladder = job.notification.ladder
    if number >= len(ladder):
        return None
    due_ms = now_ms + (round(ladder[number].after_s * _MS) if waits else 0)
    return Job(id=job_id(job.notification.id, number), step=number, notification=job.notification, due_ms=due_ms)
