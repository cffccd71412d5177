"""Following a link of a mail, with a real inbox and record behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import REGISTRY

from hub.api.clicks import click_routes
from hub.app import Stores, build_click_links, open_stores
from hub.domain.channels import EMAIL
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import EntryState, InboxEntry, Lane, Notification
from hub.service.feedback.clicks import Clicks
from hub.settings import Settings

Client = TestClient[web.Request, web.Application]
ADA, N1 = UserId("ada"), NotificationId("n1")
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"}
SETTINGS = Settings(signing_secret="a secret of thirty-two bytes or more", shop_url="https://shop.example")
LINKS = build_click_links(SETTINGS)
NOTIFICATION = Notification(
    N1, ADA, RuleName("r"), "order.packed", "orders", Lane.CRITICAL, TemplateName("t"), {}, 5, link="/orders/A-1"
)
PATH = LINKS.tracked(NOTIFICATION, EMAIL).removeprefix(SETTINGS.public_url)


@pytest.fixture
async def stores(redis_url: str, key_prefix: str) -> AsyncIterator[Stores]:
    async with open_stores(Settings(key_prefix=key_prefix), redis_url) as stores:
        await stores.inbox.add_many([(ADA, InboxEntry(N1, "order.packed", "orders", "T", "B", 5))])
        yield stores


@pytest.fixture
async def client(stores: Stores) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes(click_routes(LINKS, Clicks(stores.records, stores.inbox, clock=lambda: 1_234)))
    async with TestClient(TestServer(app)) as client:
        yield client


async def clicked_ms(stores: Stores) -> int | None:
    record = await stores.records.read(ADA, N1)
    assert record is not None
    return record.clicked_ms


def counted(channel: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("doorbell_clicks_total", {"channel": channel, "outcome": outcome}) or 0.0


async def test_a_click_leads_on_and_is_in_the_record(client: Client, stores: Stores) -> None:
    before = counted("email", "first")
    answer = await client.get(PATH, headers=BROWSER, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, "https://shop.example/orders/A-1")
    assert answer.headers["Cache-Control"] == "no-store"
    assert await clicked_ms(stores) == 1_234
    assert await stores.inbox.state_of_many([(ADA, N1)]) == [EntryState.READ]
    assert counted("email", "first") == before + 1


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", BROWSER),
        ("GET", {"User-Agent": "Slackbot-LinkExpanding 1.0"}),
        ("GET", {**BROWSER, "Sec-Purpose": "prefetch"}),
        ("GET", {"User-Agent": ""}),
    ],
)
async def test_who_only_looks_is_led_on_and_not_counted(
    client: Client, stores: Stores, method: str, headers: dict[str, str]
) -> None:
    answer = await client.request(method, PATH, headers=headers, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, "https://shop.example/orders/A-1")
    assert await clicked_ms(stores) is None
    assert await stores.inbox.state_of_many([(ADA, N1)]) == [EntryState.UNSEEN]


@pytest.mark.parametrize("path", ["/c/nonsense", f"{PATH[:-1]}{'A' if PATH[-1] != 'A' else 'B'}", f"{PATH[:-6]}"])
async def test_a_bad_token_is_a_page_that_leads_nowhere(client: Client, stores: Stores, path: str) -> None:
    answer = await client.get(path, headers=BROWSER, allow_redirects=False)
    assert (answer.status, answer.content_type) == (404, "text/html")
    assert "leads nowhere" in await answer.text()
    assert "Location" not in answer.headers
    assert await clicked_ms(stores) is None


async def test_a_click_after_the_record_is_gone_still_leads_on(client: Client, stores: Stores) -> None:
    await stores.erasure.erase(ADA)
    answer = await client.get(PATH, headers=BROWSER, allow_redirects=False)
    assert answer.status == 302
    assert await stores.records.read(ADA, N1) is None
