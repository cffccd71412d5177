from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from hub.domain.channels import EMAIL
from hub.domain.notifications import Job, Lane
from hub.store.dead_letters import DeadLetters
from hub.store.jobs import Claimed, Jobs
from hub.store.keys import Keys, shard_of
from hub.store.records import Attempt, RecordedRuling, Records

MakeJob = Callable[..., Job]
LEASE_MS = 100


async def claim(jobs: Jobs, now_ms: int, *, limit: int = 10, lane: Lane = Lane.CRITICAL) -> list[Claimed]:
    return await jobs.claim(lane=lane, now_ms=now_ms, lease_ms=LEASE_MS, limit=limit)


async def claim_one(jobs: Jobs, now_ms: int) -> Claimed:
    (claimed,) = await claim(jobs, now_ms)
    return claimed


async def test_a_job_is_scheduled_once_even_after_it_is_done(jobs: Jobs, make_job: MakeJob) -> None:
    job = make_job("n1")
    assert await jobs.schedule_many([job, job]) == [True, False]
    assert await jobs.finish(await claim_one(jobs, 0))
    assert await jobs.schedule_many([job]) == [False]
    assert await claim(jobs, 10_000) == []


async def test_many_jobs_at_once_are_told_apart(jobs: Jobs, make_job: MakeJob) -> None:
    known = [make_job(f"k{n}", user=f"user-{n}") for n in range(50)]
    new = [make_job(f"n{n}", user=f"user-{n}") for n in range(50)]
    assert await jobs.schedule_many(known) == [True] * 50
    mixed = [job for pair in zip(known, new, strict=True) for job in pair]
    assert await jobs.schedule_many([*mixed, *new]) == [False, True] * 50 + [False] * 50
    assert {job.job.id for job in await claim(jobs, 0, limit=200)} == {job.id for job in mixed}


async def test_a_waiting_job_is_known_after_the_dedupe_window(
    jobs: Jobs, make_job: MakeJob, redis: Redis, keys: Keys
) -> None:
    job = make_job("n1", due_ms=10**9)
    await jobs.schedule_many([job])
    await redis.delete(keys.job_seen(Lane.CRITICAL, shard_of(job.notification.user, 2), job.id))
    assert await jobs.schedule_many([job]) == [False]


async def test_jobs_are_claimed_when_due_and_by_one_worker(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("late", due_ms=60), make_job("now", due_ms=50)])
    claimed = await claim_one(jobs, 50)
    assert claimed.job == make_job("now", due_ms=50)
    assert (claimed.attempt, claimed.claims, claimed.unknown, claimed.lease_until_ms) == (0, 0, False, 150)
    assert await claim(jobs, 50) == []


async def test_lanes_do_not_mix(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("m", lane=Lane.MARKETING)])
    assert await claim(jobs, 0) == []
    assert len(await claim(jobs, 0, lane=Lane.MARKETING)) == 1


async def test_every_shard_gets_its_share_of_a_claim(jobs: Jobs, make_job: MakeJob) -> None:
    busy = next(user for user in "abcdef" if shard_of(user, 2) == 0)  # type: ignore[arg-type]
    other = next(user for user in "abcdef" if shard_of(user, 2) == 1)  # type: ignore[arg-type]
    await jobs.schedule_many([make_job(f"b{n}", user=busy) for n in range(20)])
    await jobs.schedule_many([make_job("o", user=other, due_ms=5)])
    assert "o:0" in [claimed.job.id for claimed in await claim(jobs, 5, limit=4)]


async def test_a_limit_below_the_number_of_shards_starves_no_shard(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job(str(n), user=str(n)) for n in range(8)])
    claimed = [job for _ in range(20) for job in await claim(jobs, 0, limit=1)]
    assert len(claimed) == 8


async def test_a_claim_takes_no_more_than_its_limit(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job(str(n), user=str(n)) for n in range(20)])
    assert len(await claim(jobs, 0, limit=3)) <= 3


async def test_a_lease_that_ran_out_passes_to_the_next_claimer(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("n1")])
    first = await claim_one(jobs, 0)
    second = await claim_one(jobs, LEASE_MS)
    assert (second.claims, second.attempt, second.unknown) == (1, 0, False)
    assert not await jobs.begin(first)
    assert not await jobs.finish(first)
    assert not await jobs.retry(first, 0, "late")
    assert await jobs.begin(second)


async def test_a_call_that_began_and_never_came_back_is_unknown_from_then_on(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("n1")])
    assert await jobs.begin(await claim_one(jobs, 0))
    second = await claim_one(jobs, 100)
    assert (second.attempt, second.unknown) == (1, True)
    third = await claim_one(jobs, 200)
    assert (third.attempt, third.unknown) == (1, True)


async def test_begin_counts_one_attempt_and_prolongs_the_lease(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("n1")])
    claimed = await claim_one(jobs, 0)
    assert await jobs.begin(claimed, lease_until_ms=500)
    assert await jobs.begin(claimed)
    assert await claim(jobs, 499) == []
    assert (await claim_one(jobs, 500)).attempt == 1


async def test_a_retry_comes_back_when_due_with_its_attempts(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("n1")])
    claimed = await claim_one(jobs, 0)
    await jobs.begin(claimed)
    assert await jobs.retry(claimed, 50, "busy")
    assert await jobs.retry(claimed, 50, "busy")
    assert await claim(jobs, 49) == []
    again = await claim_one(jobs, 50)
    assert (again.attempt, again.unknown) == (1, False)
    assert not await jobs.finish(claimed)


async def test_a_retry_may_say_that_the_outcome_is_unknown(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("n1")])
    await jobs.retry(await claim_one(jobs, 0), 0, "timeout", unknown=True)
    assert (await claim_one(jobs, 0)).unknown


async def test_an_outage_is_remembered_from_its_beginning_until_something_else_happens(
    jobs: Jobs, make_job: MakeJob
) -> None:
    await jobs.schedule_many([make_job("n1")])
    held = RecordedRuling(0, 0, 0, EMAIL, "hold", until_ms=4)
    found = [await claim_one(jobs, 0)]
    await jobs.retry(found[-1], 1, "down", down_since_ms=900)
    found.append(await claim_one(jobs, 1))
    await jobs.begin(found[-1])
    await jobs.retry(found[-1], 2, "down", down_since_ms=900)
    found.append(await claim_one(jobs, 2))
    await jobs.retry(found[-1], 3, "busy")
    found.append(await claim_one(jobs, 3))
    await jobs.hold(found[-1], 4, ruling=held)
    found.append(await claim_one(jobs, 4))
    assert [each.claims for each in found] == [0, 1, 2, 3, 3]
    assert [each.outages for each in found] == [0, 1, 2, 2, 2]
    assert [each.down_since_ms for each in found] == [None, 900, 900, None, None]


async def test_a_job_of_an_older_version_is_claimed_with_its_counts(
    jobs: Jobs, make_job: MakeJob, redis: Redis, keys: Keys
) -> None:
    job = make_job("n1")
    await jobs.schedule_many([job])
    await redis.hset(keys.jobs(job.lane, shard_of(job.notification.user, 2), "state"), job.id, "2|3|0|1|-x")
    claimed = await claim_one(jobs, 0)
    assert (claimed.attempt, claimed.claims, claimed.unknown, claimed.outages) == (2, 3, True, 0)


async def test_finishing_schedules_the_next_step_once(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("n1")])
    claimed = await claim_one(jobs, 0)
    following = make_job("n1", step=1, due_ms=30)
    assert [await jobs.finish(claimed, followed_by=[following]) for _ in range(2)] == [True, True]
    assert (await jobs.depth())[Lane.CRITICAL] == 1
    assert (await claim_one(jobs, 30)).job == following


async def test_a_lost_lease_schedules_no_next_step(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("n1")])
    lost = await claim_one(jobs, 0)
    await jobs.finish(await claim_one(jobs, LEASE_MS))
    assert not await jobs.finish(lost, followed_by=[make_job("n1", step=1)])
    assert (await jobs.depth())[Lane.CRITICAL] == 0


async def test_the_next_step_must_be_of_the_same_lane(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("n1")])
    claimed = await claim_one(jobs, 0)
    with pytest.raises(ValueError, match="same person and lane"):
        await jobs.finish(claimed, followed_by=[make_job("n1", lane=Lane.MARKETING, step=1)])


async def test_a_buried_job_is_one_dead_letter(jobs: Jobs, make_job: MakeJob, dead_letters: DeadLetters) -> None:
    await jobs.schedule_many([make_job("n1")])
    claimed = await claim_one(jobs, 0)
    assert [await jobs.bury(claimed, "no address") for _ in range(2)] == [True, True]
    (letter,) = (await dead_letters.list()).letters
    assert (letter.id, letter.reason) == ("n1:0", "no address")
    assert (await jobs.depth())[Lane.CRITICAL] == 0


async def test_a_job_done_by_another_worker_is_not_buried(
    jobs: Jobs, make_job: MakeJob, dead_letters: DeadLetters
) -> None:
    await jobs.schedule_many([make_job("n1")])
    lost = await claim_one(jobs, 0)
    await jobs.finish(await claim_one(jobs, LEASE_MS))
    assert not await jobs.bury(lost, "no address")
    assert await dead_letters.count() == 0


async def test_a_buried_job_can_be_scheduled_again(jobs: Jobs, make_job: MakeJob) -> None:
    job = make_job("n1")
    await jobs.schedule_many([job])
    await jobs.bury(await claim_one(jobs, 0), "no address")
    assert await jobs.schedule_again(job)
    assert not await jobs.schedule_again(job)
    assert (await claim_one(jobs, 0)).claims == 0


async def test_jobs_that_cannot_be_read_are_put_aside_and_block_nobody(
    jobs: Jobs, make_job: MakeJob, dead_letters: DeadLetters, redis: Redis, keys: Keys
) -> None:
    bad, deep, good = make_job("bad"), make_job("deep"), make_job("good")
    await jobs.schedule_many([bad, deep, good])
    bodies = keys.jobs(Lane.CRITICAL, shard_of(bad.notification.user, 2), "body")
    unreadable: dict[Any, Any] = {bad.id: b'{"step":"x"}', deep.id: b'{"x":' + 5_000 * b"[" + 5_000 * b"]" + b"}"}
    await redis.hset(bodies, mapping=unreadable)
    assert [claimed.job.id for claimed in await claim(jobs, 0)] == ["good:0"]
    letters = (await dead_letters.list()).letters
    assert {letter.id: letter.body for letter in letters} == unreadable
    assert (await jobs.depth())[Lane.CRITICAL] == 1


async def test_a_job_in_hand_comes_back_when_its_lease_runs_out(jobs: Jobs, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("a", user="a", due_ms=0), make_job("b", user="b", due_ms=70)])
    assert [claimed.job.id for claimed in await claim(jobs, 0)] == ["a:0"]
    assert [claimed.job.id for claimed in await claim(jobs, 70)] == ["b:0"]
    assert await claim(jobs, LEASE_MS - 1) == []
    assert [claimed.job.id for claimed in await claim(jobs, LEASE_MS)] == ["a:0"]


async def test_attempts_and_outcomes_are_on_the_record(jobs: Jobs, make_job: MakeJob, records: Records) -> None:
    job = make_job("n1")
    await jobs.schedule_many([job])
    claimed = await claim_one(jobs, 0)
    await jobs.begin(claimed)
    await jobs.retry(claimed, 0, "busy")
    await jobs.finish(await claim_one(jobs, 0), outcome="delivered", provider_id="m-1")
    record = await records.read(job.notification.user, job.notification.id)
    assert record is not None
    assert [(attempt.number, attempt.outcome, attempt.detail, attempt.provider_id) for attempt in record.attempts] == [
        (0, "retry", "busy", ""),
        (1, "delivered", "", "m-1"),
    ]


async def test_a_record_is_bounded(make_job: MakeJob, records: Records) -> None:
    notification = make_job("n1").notification
    for number in range(60):
        await records.record_attempt(notification, Attempt(number, 0, number, EMAIL, "retry"))
    record = await records.read(notification.user, notification.id)
    assert record is not None
    assert 40 <= len(record.attempts) < 50


async def test_a_notification_nobody_knows_has_no_record(make_job: MakeJob, records: Records) -> None:
    notification = make_job("n1").notification
    assert await records.read(notification.user, notification.id) is None
