"""The whole measurement: the bare SDKs, each channel with one worker, a bulk, and urgent texts beside a campaign."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from hub.service.identity.api_keys import make_api_key
from loadtest.delivery import ceiling, isolation, many, throughput
from loadtest.delivery.providers import Provider, running_providers
from loadtest.delivery.town import Town, open_town, write_configuration
from loadtest.measure import Figure
from loadtest.stack import Stack, running_stack

_BARE_S = 5.0
_PEOPLE = 5_000


@dataclass(frozen=True, slots=True)
class Place:
    """An installation to be loaded: Redis runs, nobody delivers yet, and the people are known."""

    stack: Stack
    town: Town
    providers: dict[str, Provider]
    api_key: str


@asynccontextmanager
async def installed(*, people: int) -> AsyncIterator[Place]:
    """Yield an installation on stand-ins of its own, and stop all of it in the end."""
    key = make_api_key("load")
    settings = {"DOORBELL_API_KEYS": msgspec.json.encode([key.setting]).decode()}
    with running_providers() as providers, running_stack(kafka=False, settings=settings) as stack:
        urls = {name: provider.url for name, provider in providers.items()}
        stack.environment["DOORBELL_CONFIG"] = str(write_configuration(stack.folder, **urls))
        async with open_town(stack) as town:
            await town.settle(people)
            yield Place(stack, town, providers, key.key)


async def measure(messages: int, *, load: isolation.Load) -> list[Figure]:
    """Measure everything; `messages` mails and pushes, and a third of that in texts, for the throughput."""
    figures: list[Figure] = []
    async with installed(people=_PEOPLE) as place:
        town, stack, providers = place.town, place.stack, place.providers
        bare = await ceiling.measure(providers, seconds=_BARE_S)
        for kind in throughput.kinds(messages):
            figures += bare[kind.provider]
            most = bare[kind.provider][0].value
            figures += await throughput.measure(kind, stack=stack, town=town, providers=providers, ceiling=most)
        figures += await many.measure(stack=stack, providers=providers, people=_PEOPLE, api_key=place.api_key)
        figures += await isolation.measure(load, stack=stack, town=town, providers=providers, api_key=place.api_key)
    return figures
