import pytest

from channels.pace import Pace
from hub.domain.errors import TransientDeliveryError
from hub.domain.notifications import Lane


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def paced(clock: Clock, per_second: float = 10.0) -> Pace:
    return Pace(per_second, clock_s=clock, sleep=clock.sleep)


async def take(pace: Pace, count: int, lane: Lane = Lane.CRITICAL) -> None:
    for _ in range(count):
        await pace.take(lane, at_most_s=60.0)


async def test_a_burst_goes_at_once() -> None:
    clock = Clock()
    await take(paced(clock), 10)
    assert clock.now_s == 100.0


async def test_beyond_the_burst_calls_come_at_the_pace() -> None:
    clock = Clock()
    await take(paced(clock), 30)
    assert clock.now_s == pytest.approx(102.0)


@pytest.mark.parametrize("lane", [Lane.MARKETING, Lane.CONVERSATIONAL, Lane.TRANSACTIONAL])
async def test_other_lanes_leave_a_part_of_the_bucket_to_what_is_critical(lane: Lane) -> None:
    clock = Clock()
    pace = paced(clock)
    await take(pace, 20, lane)
    before_s = clock.now_s
    await take(pace, 1)
    assert clock.now_s == before_s


async def test_marketing_leaves_a_part_of_the_bucket_to_those_who_wait() -> None:
    clock = Clock()
    pace = paced(clock)
    await take(pace, 20, Lane.MARKETING)
    before_s = clock.now_s
    await take(pace, 1, Lane.TRANSACTIONAL)
    assert clock.now_s == before_s


@pytest.mark.parametrize("lane", Lane)
async def test_every_lane_has_turns_at_the_slowest_pace(lane: Lane) -> None:
    clock = Clock()
    await take(paced(clock, per_second=0.1), 3, lane)
    assert clock.now_s <= 100.0 + 3 * 10.0


async def test_a_turn_that_would_come_too_late_is_refused_with_when_it_comes() -> None:
    clock = Clock()
    pace = paced(clock, per_second=0.1)
    await take(pace, 2)
    with pytest.raises(TransientDeliveryError) as refused:
        await pace.take(Lane.CRITICAL, at_most_s=5.0)
    assert refused.value.retry_after_s == pytest.approx(10.0)
    assert clock.now_s == 100.0


async def test_without_a_bound_nothing_waits() -> None:
    clock = Clock()
    await take(paced(clock, per_second=0.0), 1_000)
    assert clock.now_s == 100.0
