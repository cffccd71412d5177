"""What backends ask for, over HTTP and with Redis behind it; a Centrifugo client library's requests among it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hub.api.app import build_app
from hub.api.health import Health
from hub.app import Stores, build_renderer, open_stores
from hub.domain.directives import DisconnectUser, Whose
from hub.domain.ids import Topic, UserId
from hub.domain.topics import Namespace, TopicKind
from hub.roles.back import build_back
from hub.roles.front import build_front
from hub.service.identity.api_keys import make_api_key
from hub.service.identity.key_sets import fixed_keys
from hub.settings import Settings, Token
from hub.store.directives import read
from hub.store.presence import Attendance, Member
from hub.store.workers import WorkerFacts

Client = TestClient[web.Request, web.Application]
KEY = make_api_key("auctions")
AUTH = {"Authorization": f"Bearer {KEY.key}"}
NAMESPACES = (Namespace("room", presence=True), Namespace("gauge", TopicKind.LATEST, history_size=1))


@pytest.fixture
def settings(key_prefix: str) -> Settings:
    token = Token(hmac_secret="a secret of thirty-two bytes or more")
    return Settings(key_prefix=key_prefix, namespaces=NAMESPACES, api_keys=(KEY.setting,), token=token)


@pytest.fixture
async def stores(settings: Settings, redis_url: str) -> AsyncIterator[Stores]:
    async with open_stores(settings, redis_url) as opened:
        yield opened


@pytest.fixture
async def client(settings: Settings, stores: Stores) -> AsyncIterator[Client]:
    front = build_front(settings, build_back(settings, stores, build_renderer(settings)), keys=fixed_keys(()))
    app = build_app(operations=front.operations, authenticate=front.authenticate, health=Health({}))
    async with TestClient(TestServer(app)) as client:
        yield client


async def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    answer = await client.post(path, headers={**AUTH, **headers}, json=body)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def test_what_is_published_stands_in_the_history(client: Client) -> None:
    at = await post(client, "/v1/topics/publish", {"channel": "room:1", "data": {"a": [1, None]}})
    page = await post(client, "/v1/topics/history", {"channel": "room:1", "limit": -1})
    assert page["publications"] == [{"data": {"a": [1, None]}, "offset": 1}]
    assert (page["offset"], page["epoch"]) == (at["offset"], at["epoch"]) == (1, at["epoch"])


@pytest.mark.parametrize("way", ["body", "header"])
async def test_a_key_publishes_once(client: Client, way: str) -> None:
    body = {"channel": "room:1", "data": 1, **({"idempotency_key": "k"} if way == "body" else {})}
    headers = {"Idempotency-Key": "k"} if way == "header" else {}
    first, again = [await post(client, "/v1/topics/publish", body, **headers) for _ in range(2)]
    assert (first["offset"], again["offset"], again["epoch"]) == (1, 1, first["epoch"])
    assert (await post(client, "/v1/topics/history", {"channel": "room:1"}))["offset"] == 1


async def test_a_broadcast_reaches_every_topic_once(client: Client) -> None:
    wish = {"channels": ["room:1", "room:2", "order:A-1"], "data": 1, "idempotency_key": "k"}
    parts = [(await post(client, "/v1/topics/broadcast", wish))["responses"] for _ in range(2)]
    assert [[part.get("result", {}).get("status") for part in each] for each in parts] == [
        ["published", "published", None],
        ["duplicate", "duplicate", None],
    ]


async def test_a_late_value_of_a_latest_topic_is_dropped(client: Client) -> None:
    wishes = [{"channel": "gauge:1", "data": version, "version": version} for version in (2, 1, 3)]
    answers = [await post(client, "/v1/topics/publish", wish) for wish in wishes]
    assert [answer["status"] for answer in answers] == ["published", "outranked", "published"]
    page = await post(client, "/v1/topics/history", {"channel": "gauge:1", "limit": 9})
    assert [each["data"] for each in page["publications"]] == [3]


async def test_removed_history_is_gone(client: Client) -> None:
    await post(client, "/v1/topics/publish", {"channel": "room:1", "data": 1})
    assert await post(client, "/v1/topics/history_remove", {"channel": "room:1"}) == {}
    page = await post(client, "/v1/topics/history", {"channel": "room:1", "limit": 9})
    assert (page["publications"], page["offset"]) == ([], 1)


async def test_presence_is_what_workers_say(client: Client, stores: Stores) -> None:
    info = msgspec.json.encode({"user": "ann", "client": "c1", "conn_info": {"name": "Ann"}})
    there = Attendance(Topic("room:1"), [Member("c1", UserId("ann"), info)])
    await stores.presence.change_many([there])
    found = await post(client, "/v1/topics/presence", {"channel": "room:1"})
    assert found == {"presence": {"c1": {"user": "ann", "client": "c1", "conn_info": {"name": "Ann"}}}}
    stats = await post(client, "/v1/topics/presence_stats", {"channel": "room:1"})
    assert stats == {"num_clients": 1, "num_users": 1}


async def test_a_disconnect_is_written_for_all_workers(client: Client, stores: Stores) -> None:
    start = await stores.directives.end()
    await post(client, "/v1/users/disconnect", {"user": "ann"})
    (written,) = (await stores.directives.since(start.offset, limit=9)).publications
    assert read(written.data) == DisconnectUser(Whose(UserId("ann")), 3503, "force disconnect")


async def test_info_is_what_workers_say(client: Client, stores: Stores) -> None:
    await stores.workers.beat(WorkerFacts("w1", "h-1", "1", 5, clients=3, users=2, topics=4, subscriptions=9))
    (node,) = (await post(client, "/v1/info", {}))["nodes"]
    assert (node["uid"], node["num_clients"]) == ("w1", 3)


async def test_a_centrifugo_client_publishes_with_its_own_path_and_header(client: Client) -> None:
    answer = await client.post("/api/publish", headers={"X-API-Key": KEY.key}, json={"channel": "room:1", "data": {}})
    assert (await answer.json())["result"]["offset"] == 1
