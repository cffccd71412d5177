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
            await domains.take("zoe@mail.example", Lane.TRANSACTIONAL)
        assert refused.value.provider_down
        waits.append(refused.value.retry_after_s)
    assert waits == pytest.approx([4.0, 6.0, 8.0])
    assert clock.now_s == 100.0


async def test_a_campaign_leaves_turns_to_those_who_wait() -> None:
    clock = Clock()
    domains = paces(clock, mail_example=10.0)
    await take(domains, 8, lane=Lane.MARKETING)
    await take(domains, 2)
    assert clock.now_s == 100.0
    assert TURN_S < 10.0


async def test_domains_are_forgotten_before_they_are_too_many() -> None:
    domains = paces(Clock(), 10.0)
    for number in range(_DOMAINS_MAX + 50):
        await domains.take(f"zoe@d{number}.example", Lane.MARKETING)
    assert len(domains._known) == _DOMAINS_MAX
