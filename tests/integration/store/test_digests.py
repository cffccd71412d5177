from collections.abc import Callable

import msgspec
import pytest
from redis.asyncio import Redis

from hub.domain.digests import closing_job
from hub.domain.ids import JobId
from hub.domain.notifications import Job, Lane
from hub.store.dead_letters import DeadLetters
from hub.store.digests import Digests, Gathering
from hub.store.jobs import Claimed, Jobs
from hub.store.keys import Keys
from hub.store.scripts import Scripts
from tests.integration.store.conftest import FakeClock

MakeJob = Callable[..., Job]
WINDOW_S = 60
NEVER_MS = 10**12


@pytest.fixture
def digests(scripts: Scripts, keys: Keys, dead_letters: DeadLetters, clock: FakeClock) -> Digests:
    return Digests(scripts, keys, dead_letters, shards=2, dedupe_window_s=60, most=3, clock=clock)


async def claim(jobs: Jobs, now_ms: int) -> dict[JobId, Claimed]:
    claimed = await jobs.claim(lane=Lane.CRITICAL, now_ms=now_ms, lease_ms=1_000, limit=40)
    return {each.job.id: each for each in claimed}


async def gather(jobs: Jobs, digests: Digests, job: Job, now_ms: int) -> Gathering:
    """Send a job, claim it when it is due and move it into its digest."""
    job = msgspec.structs.replace(job, notification=msgspec.structs.replace(job.notification, digest_s=WINDOW_S))
    await jobs.schedule_many([job])
    claimed = (await claim(jobs, now_ms))[job.id]
    return await digests.gather(claimed, closing_job(claimed.job, now_ms=now_ms))


async def closing_of(jobs: Jobs, now_ms: int) -> Claimed:
    (closing,) = [each for each in (await claim(jobs, now_ms)).values() if each.job.digest]
    return closing


async def names_in(digests: Digests, closing: Claimed) -> list[str]:
    return [job.notification.id for job in await digests.take(closing) or ()]


async def test_a_digest_closes_a_window_after_its_first_step(jobs: Jobs, digests: Digests, make_job: MakeJob) -> None:
    assert await gather(jobs, digests, make_job("n1"), 0) is Gathering.GATHERED
    assert await gather(jobs, digests, make_job("n2"), 59_000) is Gathering.GATHERED
    assert (await jobs.depth())[Lane.CRITICAL] == 1
    assert await claim(jobs, 59_999) == {}
    closing = await closing_of(jobs, 60_000)
    assert await names_in(digests, closing) == ["n1", "n2"]


async def test_a_closed_digest_takes_no_more(jobs: Jobs, digests: Digests, make_job: MakeJob) -> None:
    await gather(jobs, digests, make_job("n1"), 0)
    closing = await closing_of(jobs, 60_000)
    assert await names_in(digests, closing) == ["n1"]
    await gather(jobs, digests, make_job("n2"), 60_000)
    assert await names_in(digests, closing) == ["n1"]
    assert await jobs.finish(closing)
    assert await names_in(digests, await closing_of(jobs, 120_000)) == ["n2"]


async def test_what_comes_before_it_is_closed_is_in_it(jobs: Jobs, digests: Digests, make_job: MakeJob) -> None:
    await gather(jobs, digests, make_job("n1"), 0)
    closing = await closing_of(jobs, 60_000)
    await gather(jobs, digests, make_job("n2"), 60_000)
    assert await names_in(digests, closing) == ["n1", "n2"]


async def test_each_category_channel_and_person_has_a_digest_of_its_own(
    jobs: Jobs, digests: Digests, make_job: MakeJob
) -> None:
    other = make_job("n3")
    other = msgspec.structs.replace(other, notification=msgspec.structs.replace(other.notification, category="sales"))
    for job in (make_job("n1"), make_job("n2", step=1), other, make_job("n4", user="bob")):
        await gather(jobs, digests, job, 0)
    closing = [each for each in (await claim(jobs, 60_000)).values() if each.job.digest]
    assert sorted([await names_in(digests, each) for each in closing]) == [["n1"], ["n2"], ["n3"], ["n4"]]


async def test_moving_twice_changes_nothing(jobs: Jobs, digests: Digests, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("n1")])
    (claimed,) = (await claim(jobs, 0)).values()
    closing = closing_job(claimed.job, now_ms=0)
    assert [await digests.gather(claimed, closing) for _ in range(2)] == [Gathering.GATHERED] * 2
    assert (await jobs.depth())[Lane.CRITICAL] == 1
    assert await jobs.schedule_many([claimed.job]) == [False]


async def test_who_has_lost_the_lease_moves_and_closes_nothing(jobs: Jobs, digests: Digests, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("n1")])
    (lost,) = (await claim(jobs, 0)).values()
    (second,) = (await claim(jobs, 1_000)).values()
    assert await digests.gather(lost, closing_job(lost.job, now_ms=0)) is Gathering.LOST
    assert await digests.gather(second, closing_job(second.job, now_ms=1_000)) is Gathering.GATHERED
    late = await closing_of(jobs, 10_000)
    again = await closing_of(jobs, 11_000)
    assert await digests.take(late) is None
    assert await names_in(digests, again) == ["n1"]


async def test_who_takes_over_from_a_dead_worker_finds_the_same_contents(
    jobs: Jobs, digests: Digests, make_job: MakeJob
) -> None:
    await gather(jobs, digests, make_job("n1"), 0)
    first = await closing_of(jobs, 60_000)
    await digests.take(first)
    await gather(jobs, digests, make_job("n2"), 60_500)
    second = await closing_of(jobs, 61_000)
    assert await names_in(digests, second) == ["n1"]


async def test_a_full_digest_closes_at_once_and_the_next_begins(
    jobs: Jobs, digests: Digests, make_job: MakeJob, clock: FakeClock
) -> None:
    clock.now_ms = 10
    for number in range(3):
        await gather(jobs, digests, make_job(f"n{number}"), 10)
    assert await gather(jobs, digests, make_job("n3"), 10) is Gathering.FULL
    closing = await closing_of(jobs, 10)
    assert await names_in(digests, closing) == ["n0", "n1", "n2"]
    await jobs.finish(closing)
    back = (await claim(jobs, 1_010))[JobId("n3:0")]
    assert await digests.gather(back, closing_job(back.job, now_ms=1_010)) is Gathering.GATHERED
    assert await names_in(digests, await closing_of(jobs, 61_010)) == ["n3"]


async def test_what_finds_a_full_digest_held_back_waits_for_it(
    jobs: Jobs, digests: Digests, make_job: MakeJob, clock: FakeClock
) -> None:
    clock.now_ms = 10
    for number in range(3):
        await gather(jobs, digests, make_job(f"n{number}"), 10)
    await gather(jobs, digests, make_job("n3"), 10)
    closing = await closing_of(jobs, 10)
    await jobs.retry(closing, 500_000, "quiet hours")
    back = (await claim(jobs, 1_010))[JobId("n3:0")]
    assert await digests.gather(back, closing_job(back.job, now_ms=1_010)) is Gathering.FULL
    assert await claim(jobs, 499_999) == {}
    assert set(await claim(jobs, 500_000)) == {back.job.id, closing.job.id}


async def test_what_a_lost_closing_job_left_behind_is_in_the_next(
    jobs: Jobs, digests: Digests, make_job: MakeJob, redis: Redis
) -> None:
    await gather(jobs, digests, make_job("n1"), 0)
    closing = await closing_of(jobs, 60_000)
    await jobs.bury(closing, "no provider")
    await gather(jobs, digests, make_job("n2"), 60_000)
    assert await names_in(digests, await closing_of(jobs, 120_000)) == ["n1", "n2"]


async def test_finishing_deletes_what_was_in_it_and_a_buried_one_keeps_it(
    jobs: Jobs, digests: Digests, make_job: MakeJob, redis: Redis, keys: Keys
) -> None:
    await gather(jobs, digests, make_job("n1"), 0)
    closing = await closing_of(jobs, 60_000)
    await digests.take(closing)
    await jobs.bury(closing, "no provider")
    assert await jobs.schedule_again(closing.job)
    again = await closing_of(jobs, NEVER_MS)
    assert await names_in(digests, again) == ["n1"]
    await jobs.finish(again)
    assert await redis.exists(keys.closed_digest(Lane.CRITICAL, 0, closing.job.notification.id)) == 0
    assert await redis.exists(keys.closed_digest(Lane.CRITICAL, 1, closing.job.notification.id)) == 0


async def test_what_cannot_be_read_is_put_aside_and_blocks_nobody(
    jobs: Jobs, digests: Digests, make_job: MakeJob, redis: Redis, dead_letters: DeadLetters
) -> None:
    await gather(jobs, digests, make_job("n1"), 0)
    closing = await closing_of(jobs, 60_000)
    await redis.hset(digests._open(closing.job, closing.job.digest), "bad:0", b'{"step":"x"}')
    assert await names_in(digests, closing) == ["n1"]
    (letter,) = (await dead_letters.list()).letters
    assert letter.body == b'{"step":"x"}'
