"""What a bulk does to everybody else: 10,000 recipients in one call, while single notifications are sent beside it.

Both go to the one worker of `doorbell serve`. Single notifications come at a steady rate before the bulk, while it is
taken in, and while the delivery worker puts it into 10,000 inboxes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec

from hub.domain.bulks import MAX_RECIPIENTS
from loadtest.delivery.providers import Provider
from loadtest.delivery.throughput import NAME
from loadtest.delivery.town import user
from loadtest.measure import Figure, percentile
from loadtest.stack import Stack

_RATE = 50
_QUIET_S = 5.0
_TIMEOUT_S = 120.0
_LOOK_S = 0.1
_BESIDE_MS = 250.0
"""What a person waits for stays below this."""
_SINGLE = {"user": "bystander", "title": "Hello", "body": "Your gift card is here."}


class Beside:
    """Sends single notifications at a steady rate, and notes how long each takes until it is accepted."""

    def __init__(self, api: aiohttp.ClientSession) -> None:
        self._api = api
        self._going_on = False
        self.took_ms: list[float] = []

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Send for the block, from afresh, and wait for the last answers. Raises what went wrong with any of them."""
        self.took_ms, self._going_on = [], True
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send(tasks))
            try:
                yield
            finally:
                self._going_on = False

    async def _send(self, tasks: asyncio.TaskGroup) -> None:
        began_s, number = time.monotonic(), 0
        while self._going_on:
            tasks.create_task(self._one())
            number += 1
            await asyncio.sleep(max(0.0, began_s + number / _RATE - time.monotonic()))

    async def _one(self) -> None:
        began_s = time.perf_counter()
        async with self._api.post("/v1/notifications", json=_SINGLE) as answer:
            if answer.status != HTTPStatus.ACCEPTED:
                raise RuntimeError(f"a single notification was answered with {answer.status}: {await answer.text()}")
            await answer.read()
        self.took_ms.append((time.perf_counter() - began_s) * 1e3)


async def measure(
    *, stack: Stack, providers: Mapping[str, Provider], people: int, api_key: str, recipients: int = MAX_RECIPIENTS
) -> list[Figure]:
    """Send a bulk by email to `recipients`, of whom `people` are known."""
    await asyncio.to_thread(stack.start, "serve")
    await asyncio.to_thread(stack.start, "deliver")
    try:
        url, headers = "http://{}:{}".format(*stack.address), {"Authorization": f"Bearer {api_key}"}
        async with aiohttp.ClientSession(url, headers=headers) as api:
            return await _measure(api, people=min(people, recipients), recipients=recipients, relay=providers["relay"])
    finally:
        await asyncio.to_thread(stack.stop_all)


async def _measure(api: aiohttp.ClientSession, *, people: int, recipients: int, relay: Provider) -> list[Figure]:
    beside = Beside(api)
    async with beside.going_on():
        await asyncio.sleep(_QUIET_S)
    before = _p99("while nothing else happens", beside)
    body, mails = _request(recipients), relay.count()
    bulk_of = f"a bulk of {recipients:,}"
    began_s = time.perf_counter()
    async with beside.going_on():
        bulk = await _taken(api, body, recipients=recipients)
        taken_s = time.perf_counter() - began_s
        await _status(api, bulk, lambda status: bool(status["over"]))
        reached_s = time.perf_counter() - began_s
    beside_it = _p99(f"beside {bulk_of}", beside, budget=_BESIDE_MS)
    await _status(api, bulk, lambda status: not status["counts"]["waiting"])
    over_s = time.perf_counter() - began_s
    return [
        Figure(NAME, f"{bulk_of}: size of the request", len(body) / 1_024, "KB"),
        Figure(NAME, f"{bulk_of}: until they are taken in", taken_s * 1e3, "ms"),
        Figure(NAME, f"{bulk_of}: until all inboxes have it", reached_s, "s"),
        Figure(NAME, f"{bulk_of}: until everything is over", over_s, "s"),
        Figure(NAME, f"{bulk_of}: mails", relay.count() - mails, "", budget=people, ceiling=False),
        before,
        beside_it,
    ]


def _p99(when: str, beside: Beside, *, budget: float | None = None) -> Figure:
    return Figure(NAME, f"a single notification {when}, p99", percentile(beside.took_ms, 0.99), "ms", budget=budget)


def _request(count: int) -> bytes:
    recipients = [{"user": user(number), "context": {"title": f"Boots, number {number}"}} for number in range(count)]
    shared = {"title": "Boots", "body": "Half price until Sunday, while they last."}
    return msgspec.json.encode(
        {"template": "message", "context": shared, "recipients": recipients, "ladder": [{"channel": "email"}]}
    )


async def _taken(api: aiohttp.ClientSession, body: bytes, *, recipients: int) -> str:
    async with api.post("/v1/bulks", data=body, headers={"Content-Type": "application/json"}) as answer:
        said: Any = await answer.json()
        if answer.status != HTTPStatus.ACCEPTED or said["accepted"] != recipients:
            raise RuntimeError(f"Doorbell answered {answer.status}: {said}")
        return str(said["id"])


async def _status(api: aiohttp.ClientSession, bulk: str, reached: Callable[[Any], bool]) -> None:
    async with asyncio.timeout(_TIMEOUT_S):
        while True:
            async with api.get(f"/v1/bulks/{bulk}") as answer:
                if reached(await answer.json()):
                    return
            await asyncio.sleep(_LOOK_S)
