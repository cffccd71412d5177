"""What became of notifications, over HTTP with everything real behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hub.api.app import build_app
from hub.api.health import Health
from hub.app import Stores, build_effects, build_renderer, open_stores
from hub.domain.channels import EMAIL
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import EntryState, Lane
from hub.domain.permission import Role
from hub.service.calls import Operations
from hub.service.identity.api_keys import ApiKeys, make_api_key
from hub.service.identity.authentication import Authenticator
from hub.service.identity.tokens import TokenVerifier, mint_token
from hub.service.rate import RateLimiter
from hub.service.repeats import StoredRepeats
from hub.service.sending.notifications import Notifications
from hub.service.sending.records import NotificationRecords
from hub.settings import Settings, Token

Client = TestClient[web.Request, web.Application]
TOKEN = Token(hmac_secret="a secret of thirty-two bytes or more")
KEY = make_api_key("shop")
SERVICE = {"Authorization": f"Bearer {KEY.key}"}


@pytest.fixture
async def stores(redis_url: str, key_prefix: str) -> AsyncIterator[Stores]:
    async with open_stores(Settings(key_prefix=key_prefix), redis_url) as opened:
        yield opened


@pytest.fixture
async def client(stores: Stores) -> AsyncIterator[Client]:
    settings = Settings()
    effects = build_effects(settings, stores, build_renderer(settings))
    services = (
        Notifications(effects, cancel_keys=stores.jobs.cancellations, templates={}, link_hosts=["pay.example"]),
        NotificationRecords(stores.records, stores.inbox),
    )
    operations = Operations(
        [operation for service in services for operation in service.operations()],
        rates=RateLimiter(),
        repeats=StoredRepeats(stores.idempotency),
    )
    door = Authenticator(TokenVerifier(TOKEN), ApiKeys([KEY.setting]))
    app = build_app(operations=operations, authenticate=door.authenticate, health=Health({}))
    async with TestClient(TestServer(app)) as client:
        yield client


async def send(client: Client, title: str = "Hello", **wish: Any) -> str:
    body = {"user": "ada", "title": title, "body": "There.", **wish}
    answer = await client.post("/v1/notifications", headers=SERVICE, json=body)
    assert answer.status == 202, await answer.text()
    return str((await answer.json())["id"])


async def get(client: Client, path: str, headers: dict[str, str] = SERVICE) -> tuple[int, Any]:
    answer = await client.get(path, headers=headers)
    return answer.status, await answer.json()


async def test_a_notification_is_found_by_its_id_alone(client: Client) -> None:
    sent = await send(client, ladder=[{"channel": "email", "after_s": 60}], expires_in_s=600, category="news")
    status, record = await get(client, f"/v1/notifications/{sent}")
    assert (status, record["user"], record["rule"], record["category"]) == (200, "ada", "ad-hoc", "news")
    assert (record["title"], record["state"], record["lane"]) == ("Hello", "unseen", "transactional")
    assert record["ladder"] == [{"channel": "email", "after_s": 60}]
    assert record["expires_ms"] == record["created_ms"] + 600_000
    assert record["explanation"][1] == "email not yet tried: due 60 s after the inbox"


@pytest.mark.parametrize("link", ["https://evil.example/", "http://pay.example/", "//pay.example", "https://["])
async def test_a_link_to_another_host_is_refused(client: Client, link: str) -> None:
    body = {"user": "ada", "title": "Hello", "body": "There.", "link": link}
    answer = await client.post("/v1/notifications", headers=SERVICE, json=body)
    assert (answer.status, (await answer.json())["errors"][0]["field"]) == (400, "link")


async def test_a_link_to_a_host_that_is_named_is_taken(client: Client) -> None:
    assert await send(client, link="https://pay.example/invoice/7")


async def test_attempts_and_what_the_person_did_are_told(client: Client, stores: Stores) -> None:
    sent = await send(client, ladder=[{"channel": "email"}])
    (claimed,) = await stores.jobs.claim(lane=Lane.TRANSACTIONAL, now_ms=2**42, lease_ms=1_000, limit=8)
    await stores.jobs.finish(claimed, outcome="delivered", provider_id="relay: 250 queued")
    await stores.inbox.mark(UserId("ada"), [NotificationId(sent)], EntryState.READ)
    await stores.records.note_click(UserId("ada"), NotificationId(sent), 2**42)
    _, record = await get(client, f"/v1/notifications/{sent}")
    (attempt,) = record["attempts"]
    assert (attempt["channel"], attempt["outcome"], attempt["provider_id"]) == (EMAIL, "delivered", "relay: 250 queued")
    assert record["state"] == "read"
    assert record["clicked_ms"] == 2**42
    assert [line.split(" at ")[0] for line in record["explanation"]] == ["inbox", "email", "read", "link followed"]


async def test_an_id_that_nobody_knows_is_not_found(client: Client) -> None:
    assert (await get(client, "/v1/notifications/no-such"))[0] == 404


async def test_a_record_that_has_gone_is_not_found(client: Client, stores: Stores) -> None:
    sent = await send(client)
    await stores.erasure.erase(UserId("ada"))
    assert (await get(client, f"/v1/notifications/{sent}"))[0] == 404


@pytest.mark.parametrize("role", [Role.SHOPPER, Role.COURIER, Role.AGENT])
@pytest.mark.parametrize("of", ["ada", "mia"])
async def test_people_may_not_read_records(client: Client, role: Role, of: str) -> None:
    sent = await send(client)
    theirs = {"Authorization": f"Bearer {mint_token(TOKEN, user=of, role=role, ttl_s=60)}"}
    assert (await get(client, f"/v1/notifications/{sent}", theirs))[0] == 403
    assert (await get(client, "/v1/notifications?user=ada", theirs))[0] == 403


async def test_a_persons_notifications_are_listed_page_by_page(client: Client) -> None:
    sent = [await send(client, f"Note {number}") for number in range(5)]
    await send(client, "For another", user="mia")
    shown: list[str] = []
    cursor = ""
    while True:
        _, page = await get(client, f"/v1/notifications?user=ada&limit=2{cursor}")
        shown += [each["id"] for each in page["notifications"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert shown == sent[::-1]


async def test_the_last_page_has_no_cursor_even_if_it_is_full(client: Client) -> None:
    for number in range(2):
        await send(client, f"Note {number}")
    _, page = await get(client, "/v1/notifications?user=ada&limit=2")
    assert [each["title"] for each in page["notifications"]] == ["Note 1", "Note 0"]
    assert page["next_cursor"] is None


async def test_the_list_has_the_outcome_of_each_step(client: Client, stores: Stores) -> None:
    await send(client, ladder=[{"channel": "email"}])
    (claimed,) = await stores.jobs.claim(lane=Lane.TRANSACTIONAL, now_ms=2**42, lease_ms=1_000, limit=8)
    await stores.jobs.retry(claimed, 0, "busy", outcome="refused")
    (claimed,) = await stores.jobs.claim(lane=Lane.TRANSACTIONAL, now_ms=2**42, lease_ms=1_000, limit=8)
    await stores.jobs.finish(claimed, outcome="failed", detail="no such mailbox")
    _, page = await get(client, "/v1/notifications?user=ada")
    assert [(step["channel"], step["outcome"]) for step in page["notifications"][0]["steps"]] == [("email", "failed")]


@pytest.mark.parametrize(
    ("query", "field"), [("", "user"), ("?user=ada&limit=0", "limit"), ("?user=ada&cursor=x", "cursor")]
)
async def test_a_bad_question_names_its_field(client: Client, query: str, field: str) -> None:
    status, problem = await get(client, f"/v1/notifications{query}")
    assert (status, problem["errors"][0]["field"]) == (400, field)
