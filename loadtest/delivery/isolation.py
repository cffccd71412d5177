"""What a campaign does to urgent texts: 100,000 marketing mails wait, and critical texts come at a steady rate.

The events are `payment.failed` over `POST /v1/events`, by a playbook that sends a text at once; a text's latency runs
from handing its event to the socket to the provider's receipt.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import aiohttp
import msgspec

from hub.domain.channels import EMAIL
from hub.domain.ids import TemplateName
from hub.domain.notifications import Lane
from hub.store.clock import unix_ms
from loadtest.delivery.providers import Provider
from loadtest.delivery.throughput import NAME
from loadtest.delivery.town import Backlog, Town, phone, user
from loadtest.measure import Figure, percentile
from loadtest.stack import Stack

_WITHIN_MS = 1_000.0
_SETTLE_S = 30.0
_LOOK_S = 0.05
_BATCH = 500
_PRICE = {"amount_minor": 5_998, "currency": "EUR"}


@dataclass(frozen=True, slots=True)
class Load:
    """`mails` wait; `rate` texts a second come for `seconds`."""

    mails: int = 100_000
    rate: int = 20
    seconds: int = 30

    @property
    def texts(self) -> int:
        """How many texts there are."""
        return self.rate * self.seconds


async def measure(
    load: Load, *, stack: Stack, town: Town, providers: Mapping[str, Provider], api_key: str
) -> list[Figure]:
    """Let texts come while a campaign is being sent. Raises RuntimeError where the campaign ends before them."""
    campaign = Backlog(EMAIL, Lane.MARKETING, TemplateName("order-placed"), load.mails, category="marketing")
    await town.wait_for(campaign)
    relay, twilio = providers["relay"], providers["twilio"]
    mails_before, texts_before = relay.count(), twilio.count()
    await asyncio.to_thread(stack.start, "serve")
    try:
        url, headers = "http://{}:{}".format(*stack.address), {"Authorization": f"Bearer {api_key}"}
        async with aiohttp.ClientSession(url, headers=headers) as api:
            await _place_orders(api, load)
            await asyncio.to_thread(stack.start, "deliver")
            await _more(relay, mails_before + 1)
            began_s, began_mails = time.monotonic(), relay.count()
            sent_ms = await _let_payments_fail(api, load)
        mails, took_s = relay.count() - began_mails, time.monotonic() - began_s
        waiting = (await town.stores.jobs.depth())[Lane.MARKETING]
        await _more(twilio, texts_before + load.texts)
    finally:
        await asyncio.to_thread(stack.stop_all)
    if not waiting:
        raise RuntimeError("the campaign was over before the texts were: let more mails wait")
    arrivals = twilio.arrivals()
    late_ms = [arrivals[to] - at_ms for to, at_ms in sent_ms.items()]
    during = f"critical texts beside {load.mails:,} waiting mails"
    return [
        Figure(NAME, f"{during}, p50", percentile(late_ms, 0.5), "ms"),
        Figure(NAME, f"{during}, p99", percentile(late_ms, 0.99), "ms", budget=_WITHIN_MS),
        Figure(NAME, f"{during}, last", max(late_ms), "ms"),
        Figure(NAME, "marketing mails a second meanwhile", mails / took_s, "1/s"),
        Figure(NAME, "marketing mails that still waited in the end", waiting, ""),
    ]


async def _place_orders(api: aiohttp.ClientSession, load: Load) -> None:
    """Make the orders known whose payments are to fail."""
    item = {"product_id": "p1", "name": "Walking boots", "quantity": 1, "price": _PRICE}
    for start in range(0, load.texts, _BATCH):
        numbers = range(start, min(load.texts, start + _BATCH))
        events = [_event("order.placed", number, {"total": _PRICE, "items": [item]}) for number in numbers]
        await _publish(api, events, content_type="application/cloudevents-batch+json")


async def _let_payments_fail(api: aiohttp.ClientSession, load: Load) -> dict[str, int]:
    """Publish at a steady rate; return when each event was handed over, by the number its text goes to."""
    sent_ms: dict[str, int] = {}
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number in range(load.texts):
            await asyncio.sleep(max(0.0, began_s + number / load.rate - time.monotonic()))
            data = {"payment_id": f"P-{number}", "amount": _PRICE, "reason": "The card was declined"}
            event = _event("payment.failed", number, data)
            sent_ms[phone(number)] = unix_ms()
            tasks.create_task(_publish(api, event, content_type="application/cloudevents+json"))
    return sent_ms


def _event(kind: str, number: int, data: Mapping[str, object]) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": f"{kind}-{number}",
        "source": "/load",
        "type": kind,
        "time": datetime.now(UTC).isoformat(),
        "data": {"order_id": f"A-{number}", "customer_id": user(number), **data},
    }


async def _publish(api: aiohttp.ClientSession, body: object, *, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    async with api.post("/v1/events", data=msgspec.json.encode(body), headers=headers) as answer:
        said = msgspec.json.decode(await answer.read())
        if answer.status != HTTPStatus.ACCEPTED or {each["status"] for each in said["results"]} != {"accepted"}:
            raise RuntimeError(f"Doorbell answered {answer.status}: {said}")


async def _more(provider: Provider, wanted: int) -> None:
    async with asyncio.timeout(_SETTLE_S):
        while provider.count() < wanted:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(_LOOK_S)
