import asyncio
import heapq
import itertools
from collections.abc import Sequence

import pytest

from channels.email.domains import _DOMAINS_MAX, TURN_S, DomainPaces
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


class SharedClock:
    """A clock for many who sleep at once: when all of them do, it moves on to the first that wakes."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        awake = asyncio.Event()
        heapq.heappush(self._sleepers, (self.now_s + seconds, next(self._order), awake))
        await awake.wait()

    async def run_until_all_are_done(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        while not all(task.done() for task in tasks):
            for _ in range(4):  # Whoever was woken comes to its next sleep within so many steps.
                await asyncio.sleep(0)
            if self._sleepers:
                self.now_s, _, awake = heapq.heappop(self._sleepers)
                awake.set()


async def waits_s(per_second: float, **counts: int) -> dict[str, list[float]]:
    """How long the mails of each lane waited, all to one domain; each comes back when it is told to."""
    clock = SharedClock()
    domains = DomainPaces(per_second, {}, clock_s=clock, sleep=clock.sleep)
    waited: dict[str, list[float]] = {lane: [] for lane in counts}

    async def mail(lane: Lane) -> None:
        begun_s = clock.now_s
        while True:
            try:
                await domains.take("zoe@mail.example", lane)
            except TransientDeliveryError as error:
                await clock.sleep(error.retry_after_s or 0.0)
            else:
                waited[lane].append(clock.now_s - begun_s)
                return

    tasks = [asyncio.create_task(mail(Lane(lane))) for lane, count in counts.items() for _ in range(count)]
    await clock.run_until_all_are_done(tasks)
    return waited


def paces(clock: Clock, per_second: float = 0.0, **by_domain: float) -> DomainPaces:
    named = {name.replace("_", "."): bound for name, bound in by_domain.items()}
    return DomainPaces(per_second, named, clock_s=clock, sleep=clock.sleep)


async def take(domains: DomainPaces, count: int, *, to: str = "zoe@mail.example", lane: Lane = Lane.CRITICAL) -> None:
    for _ in range(count):
        await domains.take(to, lane)


async def test_without_a_bound_nothing_waits() -> None:
    clock = Clock()
    await take(paces(clock), 10_000)
    assert clock.now_s == 100.0


async def test_a_domain_is_written_to_at_its_pace_and_not_at_that_of_others() -> None:
    clock = Clock()
    domains = paces(clock, mail_example=5.0)
    await take(domains, 1_000, to="zoe@other.example")
    assert clock.now_s == 100.0
    await take(domains, 10)
    assert clock.now_s == pytest.approx(101.0)


async def test_a_domain_is_the_same_in_capitals() -> None:
    clock = Clock()
    domains = paces(clock, MAIL_example=5.0)
    await take(domains, 5, to="zoe@mail.EXAMPLE")
    await take(domains, 5)
    assert clock.now_s == pytest.approx(101.0)


async def test_a_bound_of_its_own_goes_before_the_one_for_all() -> None:
    clock = Clock()
    await take(paces(clock, 1.0, mail_example=0.0), 100)
    assert clock.now_s == 100.0


async def test_what_has_no_turn_soon_comes_back_later_each_at_a_time_of_its_own() -> None:
    clock = Clock()
    domains = paces(clock, mail_example=0.5)
    await take(domains, 2)
    waits = []
    for _ in range(3):
        with pytest.raises(TransientDeliveryError, match=r"mail\.example has had its mails") as refused:
            await domains.take("zoe@mail.example", Lane.CRITICAL)
        assert refused.value.provider_down
        waits.append(refused.value.retry_after_s)
    assert waits == pytest.approx([2.0, 4.0, 6.0])
    assert clock.now_s == 100.0


async def test_a_campaign_leaves_turns_to_those_who_wait() -> None:
    clock = Clock()
    domains = paces(clock, mail_example=10.0)
    await take(domains, 8, lane=Lane.MARKETING)
    await take(domains, 2)
    assert clock.now_s == 100.0
    assert TURN_S < 10.0


@pytest.mark.parametrize("before", [Lane.MARKETING, Lane.CONVERSATIONAL, Lane.TRANSACTIONAL])
async def test_critical_mails_wait_for_each_other_alone(before: Lane) -> None:
    alone = await waits_s(2.0, critical=10)
    crowded = await waits_s(2.0, **{before.value: 140}, critical=10)
    assert max(crowded["critical"]) <= max(alone["critical"]) + 2.0
    assert max(alone["critical"]) <= 5.0


async def test_a_campaign_to_one_domain_goes_out_at_the_pace_though_others_go_before_it() -> None:
    waited = await waits_s(2.0, marketing=140, transactional=20, critical=10)
    assert max(waited["critical"]) < max(waited["transactional"]) < max(waited["marketing"])
    assert max(waited["marketing"]) == pytest.approx(170 / 2.0, rel=0.1)


async def test_domains_are_forgotten_before_they_are_too_many() -> None:
    domains = paces(Clock(), 10.0)
    for number in range(_DOMAINS_MAX + 50):
        await domains.take(f"zoe@d{number}.example", Lane.MARKETING)
    assert len(domains._known) == _DOMAINS_MAX
