"""A worker tells how its providers are."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from channels.channel import DeliveryChannel
from channels.mishaps import Mishaps
from channels.providers import Health
from channels.reporting import reporting
from hub.domain.channels import SMS, Channel
from hub.domain.errors import StoreUnavailable
from hub.store.delivery_workers import DeliveryWorkerFacts, ProviderState


class Register:
    """Hears reports; `away` times it cannot be reached."""

    def __init__(self, *, away: int = 0) -> None:
        self.heard: asyncio.Queue[DeliveryWorkerFacts] = asyncio.Queue()
        self.left: list[str] = []
        self._away = away

    async def beat(self, facts: DeliveryWorkerFacts) -> None:
        if self._away:
            self._away -= 1
            raise StoreUnavailable("beat")
        self.heard.put_nowait(facts)

    async def leave(self, uid: str) -> None:
        self.left.append(uid)


async def report(register: Register, health: tuple[Health, ...] = ()) -> DeliveryWorkerFacts:
    sms = SimpleNamespace(providers=SimpleNamespace(health=health))
    channels = cast("dict[Channel, DeliveryChannel]", {SMS: sms, Channel("whatsapp"): cast("Any", SimpleNamespace())})
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
