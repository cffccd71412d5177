"""A worker tells how its providers are."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from channels.channel import DeliveryChannel
from channels.mishaps import Mishaps
from channels.providers import Health, Providers
from channels.reporting import reporting
from hub.domain.channels import SMS, Channel
from hub.domain.errors import ConfigurationError, StoreUnavailable
from hub.store.delivery_workers import DeliveryWorkerFacts, ProviderState


class Register:
    """Hears reports; `away` times it cannot be reached, or fails in another way."""

    def __init__(self, *, away: int = 0, failure: Exception | None = None) -> None:
        self.heard: asyncio.Queue[DeliveryWorkerFacts] = asyncio.Queue()
        self.left: list[str] = []
        self._away = away
        self._failure = failure or StoreUnavailable("beat")

    async def beat(self, facts: DeliveryWorkerFacts) -> None:
        if self._away:
            self._away -= 1
            raise self._failure
        self.heard.put_nowait(facts)

    async def leave(self, uid: str) -> None:
        self.left.append(uid)


class Told(Providers[Any]):
    """Providers that are as the test says."""

    def __init__(self, health: tuple[Health, ...]) -> None:
        self._health = health

    @property
    def health(self) -> tuple[Health, ...]:
        return self._health


async def report(
    register: Register, health: tuple[Health, ...] = (), *, whatsapp: object = SimpleNamespace()
) -> DeliveryWorkerFacts:
    sms = SimpleNamespace(providers=Told(health))
    channels = cast("dict[Channel, DeliveryChannel]", {SMS: sms, Channel("whatsapp"): whatsapp})
    async with (
        asyncio.timeout(10),
        reporting(register, uid="w", version="1", channels=channels, mishaps=Mishaps(), clock=lambda: 7, every_s=0.01),
    ):
        return await register.heard.get()


@pytest.mark.parametrize(
    ("health", "state"),
    [
        (Health("twilio", failing=False, rests_s=0.0), ProviderState.WELL),
        (Health("twilio", failing=False, rests_s=3.0), ProviderState.PAUSED),
        (Health("twilio", failing=True, rests_s=5.0), ProviderState.FAILING),
        (Health("twilio", failing=True, rests_s=0.0), ProviderState.FAILING),
    ],
)
async def test_the_state_of_each_provider_is_told(health: Health, state: ProviderState) -> None:
    facts = await report(Register(), (health,))
    (provider,) = facts.providers
    assert (provider.channel, provider.name, provider.state) == (SMS, "twilio", state)


async def test_a_channel_of_an_installations_own_is_told_even_without_providers() -> None:
    facts = await report(Register())
    assert (facts.channels, facts.providers) == (("sms", "whatsapp"), ())


async def test_redis_being_away_ends_no_report_and_the_worker_says_goodbye() -> None:
    register = Register(away=3)
    facts = await report(register)
    assert (facts.uid, facts.at_ms) == ("w", 7)
    assert register.left == ["w"]


async def test_a_report_that_fails_is_logged_and_the_next_one_comes_through() -> None:
    with capture_logs() as logs:
        facts = await report(Register(away=2, failure=TypeError("a fault of ours")))
    assert facts.uid == "w"
    assert [line["event"] for line in logs] == ["report_failed"] * 2


@pytest.mark.parametrize("providers", [["twilio"], None, SimpleNamespace(health=())])
async def test_a_channel_whose_providers_cannot_be_told_about_is_refused_at_the_start(providers: object) -> None:
    register = Register()
    with pytest.raises(ConfigurationError, match=r"channels\.whatsapp = .*channels\.providers\.Providers"):
        await report(register, whatsapp=SimpleNamespace(providers=providers))
    assert register.heard.empty()


async def test_goodbye_is_not_waited_for_where_redis_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Register):
        async def leave(self, uid: str) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr("channels.reporting._GOODBYE_S", 0.01)
    assert (await report(Silent())).uid == "w"
