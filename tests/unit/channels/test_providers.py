import asyncio
from collections.abc import Callable

import pytest

from channels.breaker import Breaker, BreakerPolicy
from channels.channel import Committing, LeaseLost
from channels.pace import Pace
from channels.providers import Health, Line, Providers
from hub.domain.errors import PermanentDeliveryError, TransientDeliveryError, UnknownDeliveryError
from hub.domain.notifications import Lane

DOWN = TransientDeliveryError("503", provider_down=True)


class Recording:
    """A provider that answers as told, and keeps what it was given."""

    def __init__(self, name: str, *answers: Exception | str) -> None:
        self.name = name
        self.answers = list(answers)
        self.given: list[str] = []

    async def send(self, message: str, *, lane: Lane, committing: Committing) -> str:
        await committing()
        self.given.append(message)
        answer = self.answers.pop(0) if self.answers else "ok"
        if isinstance(answer, Exception):
            raise answer
        return answer


def line(
    provider: Recording, *, clock_s: Callable[[], float] = lambda: 0.0, places: int | dict[Lane, int] = 4
) -> Line[str]:
    policy = BreakerPolicy(failures=2, rest_s=5.0)
    return Line(provider, pace=Pace(0.0), breaker=Breaker(policy), places=places, clock_s=clock_s)


async def committed() -> None:
    """Nothing holds the message back."""


async def send(providers: Providers[str], message: str = "m") -> str:
    return await providers.send(message, lane=Lane.TRANSACTIONAL, committing=committed)


async def test_the_first_provider_takes_what_it_can() -> None:
    first, second = Recording("first", "id-1"), Recording("second")
    assert await send(Providers([line(first), line(second)])) == "first:id-1"
    assert second.given == []


async def test_a_provider_that_is_down_is_passed_over() -> None:
    first, second = Recording("first", DOWN), Recording("second", "id-2")
    assert await send(Providers([line(first), line(second)])) == "second:id-2"


@pytest.mark.parametrize(
    "error",
    [PermanentDeliveryError("bad number"), UnknownDeliveryError("timeout"), TransientDeliveryError("greylisted")],
)
async def test_what_is_about_the_message_or_unknown_goes_to_nobody_else(error: Exception) -> None:
    first, second = Recording("first", error), Recording("second")
    with pytest.raises(type(error), match=str(error)):
        await send(Providers([line(first), line(second)]))
    assert second.given == []


async def test_a_failing_provider_is_left_alone_and_tried_again_later() -> None:
    now_s = 0.0
    first, second = Recording("first", DOWN, DOWN), Recording("second")
    providers = Providers([line(first, clock_s=lambda: now_s), line(second)])
    for _ in range(4):
        await send(providers)
    assert len(first.given) == 2
    assert providers.health[0] == Health("first", failing=True, rests_s=5.0, calls={"refused": 2})
    now_s = 6.0
    assert await send(providers) == "first:ok"
    assert not providers.health[0].failing


async def test_unknown_outcomes_open_the_breaker_too() -> None:
    first, second = Recording("first", *[UnknownDeliveryError("timeout")] * 2), Recording("second")
    providers = Providers([line(first), line(second)])
    for _ in range(2):
        with pytest.raises(UnknownDeliveryError):
            await send(providers)
    assert await send(providers) == "second:ok"


async def test_a_provider_that_asks_for_a_pause_gets_it() -> None:
    busy = TransientDeliveryError("429", retry_after_s=30.0, provider_down=True)
    providers = Providers([line(Recording("only", busy))])
    for _ in range(2):
        with pytest.raises(TransientDeliveryError) as refused:
            await send(providers)
        assert refused.value.retry_after_s == 30.0
        assert refused.value.provider_down
    assert not providers.health[0].failing


async def test_when_all_rest_the_wait_is_until_the_first_is_back() -> None:
    first = Recording("first", TransientDeliveryError("429", retry_after_s=30.0, provider_down=True))
    second = Recording("second", TransientDeliveryError("429", retry_after_s=9.0, provider_down=True))
    with pytest.raises(TransientDeliveryError, match="429; 429") as refused:
        await send(Providers([line(first), line(second)]))
    assert refused.value.retry_after_s == 9.0


async def test_a_lost_lease_says_nothing_about_the_provider() -> None:
    async def lost() -> None:
        raise LeaseLost("somebody else has it")

    first, second = Recording("first"), Recording("second")
    providers = Providers([line(first), line(second)])
    for _ in range(3):
        with pytest.raises(LeaseLost):
            await providers.send("m", lane=Lane.CRITICAL, committing=lost)
    assert second.given == []
    assert not providers.health[0].failing


async def test_no_more_calls_are_made_at_once_than_there_are_places() -> None:
    at_once = most = 0

    class Slow(Recording):
        async def send(self, message: str, *, lane: Lane, committing: Committing) -> str:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1
            return "ok"

    providers = Providers([line(Slow("slow"), places=3)])
    await asyncio.gather(*(send(providers) for _ in range(20)))
    assert most == 3


async def test_a_lane_that_fills_its_places_leaves_the_others_theirs() -> None:
    let_go = asyncio.Event()

    class Stuck(Recording):
        async def send(self, message: str, *, lane: Lane, committing: Committing) -> str:
            if lane is Lane.MARKETING:
                await let_go.wait()
            return await super().send(message, lane=lane, committing=committing)

    providers = Providers([line(Stuck("only"), places=dict.fromkeys(Lane, 1))])
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(providers.send("offer", lane=Lane.MARKETING, committing=committed))
        assert await providers.send("failed payment", lane=Lane.CRITICAL, committing=committed) == "only:ok"
        let_go.set()


def test_a_channel_without_providers_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="needs a provider"):
        Providers[str]([])
