from collections.abc import Callable

import msgspec
import pytest
from redis.asyncio import Redis

from hub.domain.ids import UserId
from hub.domain.notifications import Job, Lane
from hub.store import cancellations
from hub.store.jobs import Claimed, Jobs
from tests.integration.store.conftest import FakeClock

MakeJob = Callable[..., Job]
ADA = UserId("ada")
KEY = "cart:7"


async def keyed(jobs: Jobs, job: Job, key: str = KEY) -> Job:
    """Return the job as `notifications.send` makes it: under the key's generation of now."""
    about = job.notification
    (generation,) = await jobs.cancellations.generations([(about.lane, about.user, key)])
    about = msgspec.structs.replace(about, cancel_key=key, generation=generation)
    return msgspec.structs.replace(job, notification=about)


async def send(jobs: Jobs, job: Job, key: str = KEY) -> Job:
    made = await keyed(jobs, job, key)
    await jobs.schedule_many([made])
    return made


async def claim(jobs: Jobs, now_ms: int) -> list[Claimed]:
    return await jobs.claim(lane=Lane.CRITICAL, now_ms=now_ms, lease_ms=100, limit=20)


async def test_a_cancel_hits_what_was_sent_before_it_and_not_what_is_sent_after(jobs: Jobs, make_job: MakeJob) -> None:
    before = await send(jobs, make_job("n1"))
    assert await jobs.cancellations.cancel(ADA, KEY) == 1
    after = await send(jobs, make_job("n2"))
    assert await jobs.are_cancelled([before, after]) == [True, False]


@pytest.mark.parametrize(("user", "key"), [("ada", "cart:8"), ("bob", KEY)])
async def test_a_cancel_is_for_one_key_of_one_person(jobs: Jobs, make_job: MakeJob, user: str, key: str) -> None:
    other = await send(jobs, make_job("n1", user=user), key)
    assert await jobs.cancellations.cancel(ADA, KEY) == 0
    assert await jobs.are_cancelled([other, make_job("n2")]) == [False, False]


async def test_a_cancel_reaches_all_lanes(jobs: Jobs, make_job: MakeJob) -> None:
    sent = [await send(jobs, make_job(lane.value, lane=lane)) for lane in Lane]
    assert await jobs.cancellations.cancel(ADA, KEY) == 4
    assert await jobs.are_cancelled(sent) == [True] * 4


async def test_what_is_cancelled_leaves_the_queue_at_once(jobs: Jobs, make_job: MakeJob, clock: FakeClock) -> None:
    await send(jobs, make_job("n1", due_ms=10**12))
    assert await claim(jobs, clock()) == []
    await jobs.cancellations.cancel(ADA, KEY)
    assert [each.job.id for each in await claim(jobs, clock())] == ["n1:0"]


async def test_no_call_begins_for_a_job_that_is_cancelled_while_in_hand(jobs: Jobs, make_job: MakeJob) -> None:
    await send(jobs, make_job("n1"))
    (claimed,) = await claim(jobs, 0)
    assert await jobs.cancellations.cancel(ADA, KEY) == 1
    assert not await jobs.begin(claimed)
    (again,) = await claim(jobs, 10**12)
    assert (again.attempt, again.unknown) == (0, False)
    assert await jobs.are_cancelled([again.job]) == [True]


async def test_a_call_that_had_begun_goes_on(jobs: Jobs, make_job: MakeJob) -> None:
    await send(jobs, make_job("n1"))
    (claimed,) = await claim(jobs, 0)
    assert await jobs.begin(claimed)
    await jobs.cancellations.cancel(ADA, KEY)
    assert await jobs.begin(claimed)
    assert await jobs.finish(claimed)


async def test_the_next_step_is_of_the_generation_of_the_first(jobs: Jobs, make_job: MakeJob, clock: FakeClock) -> None:
    first = await send(jobs, make_job("n1"))
    (claimed,) = await claim(jobs, 0)
    following = msgspec.structs.replace(first, id=make_job("n1", step=1).id, step=1, due_ms=10**12)
    await jobs.finish(claimed, followed_by=[following])
    assert await jobs.cancellations.cancel(ADA, KEY) == 1
    assert [each.job.step for each in await claim(jobs, clock())] == [1]
    assert await jobs.are_cancelled([following]) == [True]


async def test_a_cancel_counts_nothing_twice(jobs: Jobs, make_job: MakeJob) -> None:
    await send(jobs, make_job("n1"))
    assert [await jobs.cancellations.cancel(ADA, KEY) for _ in range(2)] == [1, 0]


async def test_a_cancel_from_a_server_whose_clock_is_behind_works(
    jobs: Jobs, make_job: MakeJob, clock: FakeClock
) -> None:
    await jobs.cancellations.cancel(ADA, KEY)
    sent = await send(jobs, make_job("n1"))
    clock.now_ms -= 60_000
    await jobs.cancellations.cancel(ADA, KEY)
    assert await jobs.are_cancelled([sent]) == [True]


async def test_a_busy_key_stays_small(
    jobs: Jobs, make_job: MakeJob, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellations, "MAX_TRACKED", 3)
    for number in range(10):
        await send(jobs, make_job(f"done-{number}"))
        (claimed,) = await claim(jobs, 0)
        await jobs.finish(claimed)
    for number in range(10):
        await send(jobs, make_job(f"n-{number}"))
    place = jobs.cancellations.key(Lane.CRITICAL, ADA, KEY)
    assert await redis.hlen(place) == 4
    await jobs.cancellations.cancel(ADA, KEY)
    waiting = [each.job for each in await claim(jobs, 0)]
    assert len(waiting) == 10
    assert all(await jobs.are_cancelled(waiting))
    assert 0 < await redis.ttl(place) <= cancellations.KEPT_S
