"""The delay queue: due jobs by lane and shard, claimed under leases.

A person's jobs lie in one shard of each lane. A claim hands a job out for the time of a lease; a worker that dies lets
its lease run out. The worker calls `begin` before it calls a provider, and `finish`, `retry` or `bury` after it; each
of these answers False, and leaves the queue alone, where the lease has passed to somebody else.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from hub.domain.bulks import BulkId, outcome_of
from hub.domain.ids import JobId
from hub.domain.notifications import APPEARANCE, Job, Lane, Notification, later_ids
from hub.store.bulk_cancellations import BulkCancellations
from hub.store.cancellations import Cancellations
from hub.store.clock import Clock, unix_ms
from hub.store.connection import read_pipelined
from hub.store.dead_letters import DeadLetter, DeadLetters
from hub.store.keys import Keys, shard_of
from hub.store.outcomes_of_bulks import BulkOutcomes
from hub.store.records import Attempt, RecordedRuling, Records
from hub.store.round_trip import Command
from hub.store.scripts import Call, Run, Script, Scripts, load_script
from hub.store.server import Server

_SCHEDULE = load_script("job_schedule")
_CLAIM = load_script("job_claim")
_BEGIN = load_script("job_begin")
_FINISH = load_script("job_finish")
_RETRY = load_script("job_retry")

_FIELDS_PER_JOB = 7
_HOLDER = 4
"""The place of the holder's token in a job's state."""
_MAX_SCHEDULED = 32
"""Jobs that one run of the script puts into the queue: it holds up everybody else for a third of a millisecond."""
Note: TypeAlias = tuple[Notification, Attempt]
"""What goes into the record of another notification than the job's own."""
_decode = msgspec.json.Decoder(Job).decode
_encode: Callable[[Job], bytes] = msgspec.json.Encoder().encode


class Claimed(msgspec.Struct, frozen=True):
    """A job in hand, until `lease_until_ms`.

    `attempt` counts the provider calls begun before this claim, `claims` the claims before it (a job that keeps killing
    its worker has many claims and no attempt). `unknown`: an earlier call may have been taken by the provider.
    `outages` of the claims found the provider down, those since `down_since_ms` in a row; None: the last one did not.
    """

    job: Job
    token: str
    attempt: int
    unknown: bool
    claims: int
    lease_until_ms: int
    outages: int = 0
    down_since_ms: int | None = None


class _Shard(msgspec.Struct, frozen=True):
    lane: Lane
    number: int


class Jobs:
    """The delay queue of one installation. Every method raises StoreUnavailable; all writes may be repeated."""

    def __init__(
        self,
        server: Server,
        scripts: Scripts,
        keys: Keys,
        dead_letters: DeadLetters,
        records: Records,
        *,
        shards: int,
        dedupe_window_s: int,
        clock: Clock = unix_ms,
    ) -> None:
        """Take `shards`, the same for all processes, and `dedupe_window_s`: how long a job's id is remembered.

        Fewer shards than before leave the jobs of the missing ones where they are: drain the queue first.
        """
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._dead_letters = dead_letters
        self._records = records
        self._shards = shards
        self._dedupe_window_s = dedupe_window_s
        self._clock = clock
        self._first_shard = 0
        self.cancellations = Cancellations(server, scripts, keys, shards=shards, clock=clock)
        self._bulk_outcomes = BulkOutcomes(server, scripts, keys)
        self._bulk_cancellations = BulkCancellations(server, scripts, keys)

    async def schedule_many(self, jobs: Sequence[Job]) -> list[bool]:
        """Put jobs into the queue, in one round trip; False where one of that id is there, done or buried already."""
        shares = list(self._shares_of(jobs))
        scheduled = [False] * len(jobs)
        replied = await self._scripts.run_mixed(self.scheduling(jobs))
        for (_, share), replies in zip(shares, replied[: len(shares)], strict=True):
            for index, reply in zip(share, replies, strict=True):
                scheduled[index] = reply == 1
        return scheduled

    def scheduling(self, jobs: Sequence[Job]) -> list[Run]:
        """Return the script runs of `schedule_many`, for those who have others to send along."""
        runs = [
            self._scheduling(shard, [jobs[index] for index in share], again=False)
            for shard, share in self._shares_of(jobs)
        ]
        return [*runs, *self.cancellations.tracking(jobs)]

    async def schedule_again(self, job: Job) -> bool:
        """Put a buried job back into the queue, with no attempts behind it; False where it is there already."""
        (replies,) = await self._scripts.run_mixed([self._scheduling(self._shard(job), [job], again=True)])
        return bool(replies[0])

    async def climb_again(self, first_jobs: Sequence[Job]) -> None:
        """Begin ladders that are over anew, with all their steps, in one round trip. `first_jobs` begin them."""
        runs: list[Run] = []
        for shard, share in self._shares_of(first_jobs):
            jobs = [first_jobs[index] for index in share]
            script, call = self._scheduling(shard, jobs, again=True)
            later = (self._seen(shard, each) for job in jobs for each in later_ids(job))
            runs.append((script, Call((*call.keys, *later), call.args)))
        await self._scripts.run_mixed(runs)

    def _shares_of(self, jobs: Sequence[Job]) -> Iterator[tuple[_Shard, list[int]]]:
        """Yield the places of the jobs that go into one shard, so few of them that nobody waits long for the script."""
        by_shard: dict[_Shard, list[int]] = {}
        for index, job in enumerate(jobs):
            by_shard.setdefault(self._shard(job), []).append(index)
        for shard, indices in by_shard.items():
            for start in range(0, len(indices), _MAX_SCHEDULED):
                yield shard, indices[start : start + _MAX_SCHEDULED]

    def _scheduling(self, shard: _Shard, jobs: Sequence[Job], *, again: bool) -> Run:
        keys = [*self._parts(shard, "due", "body")]
        args: list[str | bytes | int] = [self._dedupe_window_s, int(again)]
        for job in jobs:
            keys.append(self._seen(shard, job.id))
            args += (job.id, job.due_ms, _encode(job))
        return _SCHEDULE, Call(tuple(keys), tuple(args))

    async def claim(self, *, lane: Lane, now_ms: int, lease_ms: int, limit: int) -> list[Claimed]:
        """Take up to `limit` due jobs of a lane under a lease, in one round trip over all its shards.

        Each shard gives an equal share of `limit`, so that no person's burst keeps the other shards waiting: fewer than
        `limit` does not mean that no more are due. A job whose lease has run out comes before the ones that are due.
        """
        until_ms, token = now_ms + lease_ms, secrets.token_hex(8)
        shares = list(self._shares(lane, limit))
        calls = []
        for shard, share in shares:
            keys = (*self._parts(shard, "due", "leased", "body", "state"), self._claim_key(shard, token))
            calls.append(Call(keys, (now_ms, until_ms, share, token)))
        claimed: list[Claimed] = []
        replies = await self._scripts.run_many(_CLAIM, calls)
        for (shard, _), reply in zip(shares, replies, strict=True):
            for start in range(0, len(reply), _FIELDS_PER_JOB):
                job_id, body, tries, claims, unknown, outages, since = reply[start : start + _FIELDS_PER_JOB]
                job = await self._read(shard, JobId(job_id.decode()), body, token)
                if job is not None:
                    down_since_ms = int(since) if since else None
                    found = Claimed(job, token, tries, bool(unknown), claims, until_ms, outages, down_since_ms)
                    claimed.append(found)
        return claimed

    async def _read(self, shard: _Shard, job_id: JobId, body: bytes, token: str) -> Job | None:
        """Return a claimed job; one that cannot be read (of another version) is buried, so that it blocks nobody."""
        try:
            return _decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            await self._put_aside(shard, job_id, body, f"the job cannot be read: {error}")
            await self._scripts.run(_FINISH, self._finishing(shard, job_id, token))
            return None

    async def begin(self, claimed: Claimed, *, lease_until_ms: int | None = None) -> bool:
        """Note that a provider call begins now; False: the call must not be made, for the lease is lost or the job off.

        `lease_until_ms` prolongs the lease so that it outlasts the call. If the worker dies now, the next claimer is
        told that the outcome is `unknown`. A job that has been cancelled can be claimed again at once.
        """
        shard, about = self._shard(claimed.job), claimed.job.notification
        keys = self._parts(shard, "leased", "state")
        args: tuple[str | int, ...] = (claimed.job.id, claimed.token, lease_until_ms or claimed.lease_until_ms)
        if about.cancel_key:
            keys += (self.cancellations.key(about.lane, about.user, about.cancel_key), *self._parts(shard, "due"))
            args += (about.generation, self._clock())
        return bool(await self._scripts.run(_BEGIN, Call(keys, args)))

    async def are_cancelled(self, jobs: Sequence[Job]) -> list[bool]:
        """Say of each job whether it has been called off, by its cancel key or with its bulk."""
        by_key, by_bulk = await asyncio.gather(
            self.cancellations.are_cancelled(jobs), self._bulk_cancellations.are_cancelled(jobs)
        )
        return [any(each) for each in zip(by_key, by_bulk, strict=True)]

    async def finish(
        self,
        claimed: Claimed,
        *,
        followed_by: Sequence[Job] = (),
        outcome: str = "",
        provider_id: str = "",
        detail: str = "",
        ruling: RecordedRuling | None = None,
        notes: Sequence[Note] = (),
    ) -> bool:
        """Take a job out of the queue for good and schedule what follows it, all or nothing.

        `followed_by` are of the same person and lane. `outcome`, the provider's id of the message, `detail` and what
        was ruled go into the notification's record, and `notes` into those of others. False: the lease is lost, the
        queue has not changed.
        """
        call = self._finishing(self._shard(claimed.job), claimed.job.id, claimed.token, followed_by, claimed.job)
        attempt = _attempt(claimed, self._clock(), outcome, provider_id=provider_id, detail=detail)
        # What was ruled against has no outcome of its own.
        ended = outcome or ("dropped" if ruling is not None else "")
        along = [
            *self.cancellations.tracking(followed_by),
            *self._noting_bulk(claimed.job, ended, over=not followed_by),
            *(self._records.noting(*note) for note in notes),
        ]
        if ruling is not None:
            along.append(self._records.ruling(claimed.job.notification, ruling))
        return await self._run_noted(_FINISH, call, claimed, attempt, along)

    def _noting_bulk(self, job: Job, outcome: str, *, over: bool) -> list[Run]:
        """Return what notes the end of a step in its bulk, if it has one: along with the rest, and none of it."""
        about = job.notification
        if not about.bulk or not outcome:
            return []
        return [self._bulk_outcomes.noting(BulkId(about.bulk), about.user, outcome_of(outcome), over=over)]

    def _finishing(
        self, shard: _Shard, job_id: JobId, token: str, followed_by: Sequence[Job] = (), closed: Job | None = None
    ) -> Call:
        """Return the call that takes a job out; what is in the digest that it `closed` goes with it."""
        keys = (*self._parts(shard, "leased", "body", "state"), self._seen(shard, job_id), *self._parts(shard, "due"))
        args: tuple[str | bytes | int, ...] = (job_id, token, self._dedupe_window_s, len(followed_by))
        for following in followed_by:
            if self._shard(following) != shard:
                raise ValueError(f"job {following.id} must be of the same person and lane as {job_id}")
            keys += (self._seen(shard, following.id),)
            args += (following.id, following.due_ms, _encode(following))
        if closed is not None and closed.digest:
            keys += (self._keys.closed_digest(shard.lane, shard.number, closed.notification.id),)
        return Call(keys, args)

    async def retry(
        self,
        claimed: Claimed,
        due_ms: int,
        reason: str,
        *,
        unknown: bool = False,
        outcome: str = "retry",
        down_since_ms: int | None = None,
    ) -> bool:
        """Give a job back until `due_ms`; `outcome` (`unknown` where it is) and `reason` go into the record.

        `unknown`: the provider may have taken it. `down_since_ms`: it is down, and since when. The next claimer is told
        both. False: the lease is lost, the queue has not changed.
        """
        keys = self._parts(self._shard(claimed.job), "due", "leased", "state")
        since = "" if down_since_ms is None else down_since_ms
        call = Call(keys, (claimed.job.id, claimed.token, due_ms, int(unknown), 0, since))
        attempt = _attempt(claimed, self._clock(), "unknown" if unknown else outcome, detail=reason)
        return await self._run_noted(_RETRY, call, claimed, attempt)

    async def hold(self, claimed: Claimed, until_ms: int, *, ruling: RecordedRuling) -> bool:
        """Give a job back until `until_ms` as if it had not been claimed; why goes into the record.

        False: the lease is lost, the queue has not changed.
        """
        keys = self._parts(self._shard(claimed.job), "due", "leased", "state")
        call = Call(keys, (claimed.job.id, claimed.token, until_ms, 0, 1, ""))
        noting = self._records.ruling(claimed.job.notification, ruling)
        calling = self._records.calling([claimed.job.notification.user])
        return bool((await self._scripts.run_mixed([(_RETRY, call), noting, *calling]))[0])

    async def _run_noted(
        self, script: Script, call: Call, claimed: Claimed, attempt: Attempt, along: Sequence[Run] = ()
    ) -> bool:
        runs = [(script, call), *along]
        if claimed.job.digest or claimed.job.step == APPEARANCE:
            # Nobody has told whose it is: an inbox entry does that for all others.
            runs += self._records.owning([claimed.job.notification])
        if attempt.outcome:
            runs.append(self._records.noting(claimed.job.notification, attempt))
        if len(runs) > 1:
            runs += self._records.calling([claimed.job.notification.user])
        return bool((await self._scripts.run_mixed(runs))[0])

    async def bury(self, claimed: Claimed, reason: str, *, notes: Sequence[Note] = ()) -> bool:
        """Move a job to the dead letters, for good; `notes` as in `finish`. False: the lease is lost, nothing changed.

        The letter is written before the job leaves the queue: a crash between the two buries it again, as one letter.
        """
        shard, job_id = self._shard(claimed.job), claimed.job.id
        finishing = self._finishing(shard, job_id, claimed.token)
        if await self._holds(shard, job_id, claimed.token):
            await self._put_aside(shard, job_id, _encode(claimed.job), reason)
        attempt = _attempt(claimed, self._clock(), "buried", detail=reason)
        over = claimed.job.step + 1 == len(claimed.job.notification.ladder)
        along = [*self._noting_bulk(claimed.job, "buried", over=over), *(self._records.noting(*note) for note in notes)]
        return await self._run_noted(_FINISH, finishing, claimed, attempt, along)

    async def _holds(self, shard: _Shard, job_id: JobId, token: str) -> bool:
        read: Command = ("HGET", *self._parts(shard, "state"), job_id)
        (state,) = await read_pipelined(self._server, [read], what="job state")
        return state is not None and state.split(b"|")[_HOLDER] == token.encode()

    async def _put_aside(self, shard: _Shard, job_id: JobId, body: bytes, reason: str) -> None:
        origin = f"job {shard.lane}/{shard.number}"
        letter = DeadLetter(id=job_id, origin=origin, reason=reason, field="", body=body, at_ms=self._clock())
        await self._dead_letters.add_many([letter])

    async def depth(self) -> dict[Lane, int]:
        """Return how many jobs wait or are in hand, by lane."""
        shards = [_Shard(lane, number) for lane in Lane for number in range(self._shards)]
        reads: list[Command] = [("HLEN", *self._parts(shard, "body")) for shard in shards]
        depth = dict.fromkeys(Lane, 0)
        for shard, count in zip(shards, await read_pipelined(self._server, reads, what="jobs depth"), strict=True):
            depth[shard.lane] += count
        return depth

    def _shares(self, lane: Lane, limit: int) -> Iterator[tuple[_Shard, int]]:
        """Split `limit` over the shards; what does not divide goes to other shards each time."""
        share, rest = divmod(limit, self._shards)
        first, self._first_shard = self._first_shard, (self._first_shard + max(rest, 1)) % self._shards
        for index in range(self._shards):
            own = share + (1 if index < rest else 0)
            if own:
                yield _Shard(lane, (first + index) % self._shards), own

    def _shard(self, job: Job) -> _Shard:
        return _Shard(job.lane, shard_of(job.notification.user, self._shards))

    def _parts(self, shard: _Shard, *parts: str) -> tuple[str, ...]:
        return tuple(self._keys.jobs(shard.lane, shard.number, part) for part in parts)

    def _seen(self, shard: _Shard, job: JobId) -> str:
        return self._keys.job_seen(shard.lane, shard.number, job)

    def _claim_key(self, shard: _Shard, token: str) -> str:
        return self._keys.job_claim(shard.lane, shard.number, token)


def _attempt(claimed: Claimed, at_ms: int, outcome: str, *, provider_id: str = "", detail: str = "") -> Attempt:
    job = claimed.job
    return Attempt(at_ms, job.step, claimed.attempt, job.channel, outcome, provider_id, detail)
