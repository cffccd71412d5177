"""The operations over HTTP with everything real behind them: ingest, playbook, templates and Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hub.api.app import build_app
from hub.api.health import Health
from hub.app import (
    Stores,
    build_effects,
    build_ingest,
    build_preference_centre,
    build_renderer,
    load_playbook,
    open_stores,
)
from hub.domain.ids import Topic, UserId
from hub.domain.permission import Action, Identity, Role
from hub.service.calls import Operations
from hub.service.identity.access import Access
from hub.service.identity.api_keys import ApiKeys, make_api_key
from hub.service.identity.authentication import Authenticator
from hub.service.identity.tokens import TokenVerifier, mint_token
from hub.service.intake.events import Events
from hub.service.person.inbox import InboxService
from hub.service.person.orders import Orders
from hub.service.rate import RateLimiter
from hub.service.repeats import StoredRepeats
from hub.service.sending.notifications import Notifications
from hub.settings import Settings, Smtp, Token

Client = TestClient[web.Request, web.Application]
TOKEN = Token(hmac_secret="a secret of thirty-two bytes or more")
KEY = make_api_key("shop")
SERVICE = {"Authorization": f"Bearer {KEY.key}"}
STRUCTURED = {**SERVICE, "Content-Type": "application/cloudevents+json"}
PRICE = {"amount_minor": 1_299, "currency": "EUR"}
ITEMS = [{"product_id": "p-1", "name": "Kettle", "quantity": 1, "price": PRICE}]


def bearer(user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {mint_token(TOKEN, user=user, role=Role.SHOPPER, ttl_s=60)}"}


def event(event_type: str, **data: Any) -> dict[str, Any]:
    envelope = {"specversion": "1.0", "id": event_type, "source": "/shop", "type": event_type}
    return {**envelope, "data": {"order_id": "A-1", **data}}


PLACED = {**event("order.placed", customer_id="ada", total=PRICE, items=ITEMS), "time": "2026-01-05T08:00:00Z"}


@pytest.fixture
async def stores(redis_url: str, key_prefix: str) -> AsyncIterator[Stores]:
    async with open_stores(Settings(key_prefix=key_prefix), redis_url) as opened:
        yield opened


@asynccontextmanager
async def serving(stores: Stores) -> AsyncIterator[Client]:
    settings = Settings(smtp=Smtp(url="smtp://127.0.0.1:25"))
    playbook = load_playbook(settings)
    effects = build_effects(settings, stores, build_renderer(settings))
    services = (
        InboxService(stores.inbox),
        Orders(stores.documents),
        Events(build_ingest(settings, stores, effects, playbook)),
        build_preference_centre(settings, stores, playbook),
        Notifications(effects, cancel_keys=stores.jobs.cancellations, templates={}),
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


@pytest.fixture
async def client(stores: Stores) -> AsyncIterator[Client]:
    async with serving(stores) as client:
        yield client


async def publish(client: Client, body: dict[str, Any], **headers: str) -> str:
    answer = await client.post("/v1/events", headers={**STRUCTURED, **headers}, json=body)
    assert answer.status == 202, await answer.text()
    return str((await answer.json())["results"][0]["status"])


async def get(client: Client, path: str, user: str) -> tuple[int, dict[str, Any]]:
    answer = await client.get(path, headers=bearer(user))
    return answer.status, await answer.json()


async def test_an_accepted_event_is_in_the_inbox(client: Client) -> None:
    assert await publish(client, PLACED) == "accepted"
    _, inbox = await get(client, "/v1/inbox", "ada")
    assert inbox["unread"] == 1
    assert (inbox["entries"][0]["event_type"], inbox["entries"][0]["state"]) == ("order.placed", "unseen")
    assert inbox["entries"][0]["data"]["order_id"] == "A-1"


async def test_an_event_published_twice_is_shown_once(client: Client) -> None:
    assert [await publish(client, PLACED) for _ in range(2)] == ["accepted", "duplicate"]
    assert (await get(client, "/v1/inbox", "ada"))[1]["unread"] == 1


async def test_an_event_before_its_order_waits_for_it(client: Client) -> None:
    assert await publish(client, event("order.packed")) == "parked"
    await publish(client, PLACED)
    _, order = await get(client, "/v1/orders/A-1", "ada")
    assert [entry["type"] for entry in order["timeline"]] == ["order.placed", "order.packed"]


async def test_reading_an_entry_takes_it_from_the_unread(client: Client) -> None:
    await publish(client, PLACED)
    answer = await client.post("/v1/inbox/read", headers=bearer("ada"), json={"all": True})
    assert await answer.json() == {"unread": 0}
    assert (await get(client, "/v1/inbox?unread=true", "ada"))[1]["entries"] == []
    assert (await get(client, "/v1/inbox", "ada"))[1]["entries"][0]["state"] == "read"


async def test_an_archived_entry_is_out_of_the_way(client: Client) -> None:
    await publish(client, PLACED)
    entry_id = (await get(client, "/v1/inbox", "ada"))[1]["entries"][0]["id"]
    await client.post("/v1/inbox/archive", headers=bearer("ada"), json={"ids": [entry_id, "no-such"]})
    assert (await get(client, "/v1/inbox", "ada"))[1]["entries"] == []
    assert (await get(client, "/v1/inbox?archived=true", "ada"))[1]["entries"][0]["id"] == entry_id


async def test_the_pages_of_an_inbox_join_without_a_seam(client: Client) -> None:
    for number in range(5):
        wish = {"user": "ada", "title": f"Note {number}", "body": "Hello."}
        assert (await client.post("/v1/notifications", headers=SERVICE, json=wish)).status == 202
    titles: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        _, page = await get(client, f"/v1/inbox?limit=2{cursor and f'&cursor={cursor}'}", "ada")
        titles += [entry["title"] for entry in page["entries"]]
        cursor = page["next_cursor"]
    assert titles == [f"Note {number}" for number in (4, 3, 2, 1, 0)]


async def test_a_cursor_that_no_page_has_given_is_refused(client: Client) -> None:
    status, problem = await get(client, "/v1/inbox?cursor=abc", "ada")
    assert (status, problem["errors"][0]["field"]) == (400, "cursor")


async def test_nobody_sees_the_order_or_the_inbox_of_somebody_else(client: Client, stores: Stores) -> None:
    await publish(client, PLACED)
    assert (await get(client, "/v1/orders/A-1", "bob"))[0] == 404
    assert (await get(client, "/v1/inbox", "bob"))[1] == {"entries": [], "unread": 0, "next_cursor": None}
    access = Access(stores.documents, stores.namespaces)
    may = [
        await access.may(Identity(UserId(user), Role.SHOPPER), Action.SUBSCRIBE, Topic("order:A-1"))
        for user in ("ada", "bob")
    ]
    assert may == [True, False]


async def test_a_write_repeated_with_its_key_is_answered_from_memory(client: Client) -> None:
    wish = {"user": "ada", "title": "Gift", "body": "A card for you."}
    headers = {**SERVICE, "Idempotency-Key": "k-1"}
    answers = [await client.post("/v1/notifications", headers=headers, json=wish) for _ in range(2)]
    assert await answers[0].read() == await answers[1].read()
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None, "true"]
    other = await client.post("/v1/notifications", headers=headers, json={**wish, "user": "bob"})
    assert other.status == 422
    assert (await get(client, "/v1/inbox", "ada"))[1]["unread"] == 1


async def test_ten_tries_at_once_with_one_key_send_one_notification(client: Client) -> None:
    wish = {"user": "ada", "title": "Gift", "body": "A card for you."}
    headers = {**SERVICE, "Idempotency-Key": "k-2"}
    posts = (client.post("/v1/notifications", headers=headers, json=wish) for _ in range(10))
    statuses = {answer.status for answer in await asyncio.gather(*posts)}
    assert statuses <= {202, 409}
    assert (await get(client, "/v1/inbox", "ada"))[1]["unread"] == 1


async def test_a_batch_with_poison_in_it_is_written_around_it(client: Client, stores: Stores) -> None:
    batch = [PLACED, event("order.confirmed", customer_id=7), event("order.packed")]
    headers = {**SERVICE, "Content-Type": "application/cloudevents-batch+json"}
    answer = await client.post("/v1/events", headers=headers, json=batch)
    results = (await answer.json())["results"]
    assert [result["status"] for result in results] == ["accepted", "rejected", "accepted"]
    assert len((await stores.dead_letters.list(cursor=None, limit=10)).letters) == 1


async def prefer(client: Client, headers: dict[str, str], **change: Any) -> dict[str, Any]:
    answer = await client.post("/v1/preferences", headers=headers, json=change)
    assert answer.status == 200, await answer.text()
    view: dict[str, Any] = await answer.json()
    return view


async def test_what_a_person_prefers_is_kept_and_shown_to_them_and_to_services(client: Client) -> None:
    quiet = {"start": "22:00", "end": "07:00"}
    await prefer(client, bearer("ada"), switches={"orders": {"email": False}}, quiet_hours=quiet)
    view = await prefer(client, SERVICE, user="ada", consent={"email": {"granted": True, "wording": "v1"}})
    assert view["version"] == 2
    assert view["switches"] == {"orders": {"email": False}}
    assert view["categories"]["orders"] == {"email": False}
    assert view["categories"]["payments"] == {"email": True}
    assert view["consent"]["email"]["wording"] == "v1"
    assert view["in_force"] == {"quiet_hours": quiet, "time_zone": "UTC"}
    assert await (await client.get("/v1/preferences", headers=bearer("ada"))).json() == view
    assert await (await client.get("/v1/preferences?user=ada", headers=SERVICE)).json() == view


async def test_null_takes_back_what_was_said(client: Client) -> None:
    await prefer(client, bearer("ada"), switches={"orders": {"email": False}}, snoozed_until_ms=5)
    view = await prefer(client, bearer("ada"), switches={"orders": {"email": None}}, snoozed_until_ms=None)
    assert (view["switches"], view["snoozed_until_ms"]) == ({}, 0)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"switches": {"orders": {"pigeon": False}}}, "switches.orders.pigeon"),
        ({"switches": {"Orders": {"email": False}}}, "switches"),
        ({"switches": {"orders": {"E mail": False}}}, "switches[...]"),
        ({"quiet_hours": {"start": "22:00", "end": "25:00"}}, "quiet_hours.end"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"moods": {}}, "moods"),
    ],
)
async def test_preferences_of_a_bad_form_are_refused_by_name(
    client: Client, change: dict[str, Any], field: str
) -> None:
    answer = await client.post("/v1/preferences", headers=bearer("ada"), json=change)
    assert answer.status == 400
    (problem,) = (await answer.json())["errors"]
    assert problem["field"].startswith(field)


async def test_nobody_reads_or_changes_the_preferences_of_somebody_else(client: Client) -> None:
    assert (await client.get("/v1/preferences?user=ada", headers=bearer("ben"))).status == 403
    assert (await client.post("/v1/preferences", headers=bearer("ben"), json={"user": "ada"})).status == 403


async def test_an_erased_person_has_no_preferences(client: Client) -> None:
    await prefer(client, bearer("ada"), switches={"orders": {"email": False}})
    erased = {"specversion": "1.0", "id": "e", "source": "/shop", "type": "user.erased", "data": {"user_id": "ada"}}
    await publish(client, erased)
    view = await (await client.get("/v1/preferences", headers=bearer("ada"))).json()
    assert (view["version"], view["switches"]) == (0, {})
    assert (await client.post("/v1/preferences", headers=bearer("ada"), json={"snoozed_until_ms": 5})).status == 404
