"""The operations by which backends publish, look at topics and steer connections; over HTTP, with fakes behind them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hub.api.centrifugo import METHODS
from hub.domain.directives import Directive, DisconnectUser, RefreshUser, SubscribeUser, UnsubscribeUser, Whose
from hub.domain.ids import Epoch, Topic, UserId
from hub.domain.permission import Role
from hub.domain.topics import Position
from hub.service.calls import Operations
from hub.service.identity.api_keys import ApiKeys, NewApiKey, make_api_key
from hub.service.identity.authentication import Authenticator
from hub.service.identity.tokens import TokenVerifier
from hub.service.rate import RateLimiter
from hub.service.topics.attendance import Attendances
from hub.service.topics.histories import Histories
from hub.service.topics.installation import Installation
from hub.service.topics.people import PeoplesConnections
from hub.service.topics.publishing import Publishing
from hub.service.topics.service_topics import ServiceTopics
from tests.unit.api.api_fakes import SERVICE, TOKEN, Client, bearer
from tests.unit.api.backend_fakes import NAMESPACES, FakeLog, FakeMembers, FakeTopics, FakeWorkers

NEWS = {"channel": "room:1", "data": {"text": "hi"}}
KEY = make_api_key("billing")
NARROW = make_api_key("stock", scopes=["topics.history", "users.*"])


@pytest.fixture
def topics() -> FakeTopics:
    return FakeTopics()


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def operations(topics: FakeTopics, log: FakeLog) -> Operations:
    access = ServiceTopics(NAMESPACES)
    services = (
        Publishing(topics, access),
        Histories(topics, access),
        Attendances(FakeMembers(), access),
        PeoplesConnections(log, access),
        Installation(FakeWorkers()),
    )
    listed = [item for service in services for item in service.operations()]
    return Operations(listed, rates=RateLimiter(), clock=lambda: 1_000_000)


@pytest.fixture
def authenticator() -> Authenticator:
    return Authenticator(TokenVerifier(TOKEN), ApiKeys([KEY.setting, NARROW.setting]))


async def post(client: Client, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    answer = await client.post(path, headers={**SERVICE, **headers}, json=body)
    return answer.status, await answer.json()


# Publishing


async def test_a_publication_tells_where_it_stands(client: Client, topics: FakeTopics) -> None:
    answer = await post(client, "/v1/topics/publish", NEWS)
    assert answer == (200, {"offset": 1, "epoch": "e", "status": "published"})
    assert (topics.published[0].topic, topics.published[0].data) == ("room:1", b'{"text": "hi"}')


async def test_the_same_idempotency_key_publishes_once_and_tells_where(client: Client, topics: FakeTopics) -> None:
    body = {**NEWS, "idempotency_key": "k"}
    answers = [await post(client, "/v1/topics/publish", body) for _ in range(2)]
    assert [answer["status"] for _, answer in answers] == ["published", "duplicate"]
    assert [answer["offset"] for _, answer in answers] == [1, 1]
    assert len(topics.published) == 1


async def test_the_same_key_of_another_topic_is_another_publication(client: Client, topics: FakeTopics) -> None:
    for channel in ("room:1", "room:2"):
        await post(client, "/v1/topics/publish", {**NEWS, "channel": channel, "idempotency_key": "k"})
    assert len(topics.published) == 2


async def test_publications_without_a_key_are_each_their_own(client: Client, topics: FakeTopics) -> None:
    for _ in range(2):
        await post(client, "/v1/topics/publish", NEWS)
    assert [publication.dedupe_s for publication in topics.published] == [60, 60]


async def test_history_can_be_skipped(client: Client, topics: FakeTopics) -> None:
    await post(client, "/v1/topics/publish", {**NEWS, "skip_history": True})
    assert topics.published[0].kept is False


async def test_a_value_below_the_version_that_stands_is_outranked(client: Client) -> None:
    answer = await post(client, "/v1/topics/publish", {"channel": "gauge:1", "data": 1, "version": 1})
    assert answer == (200, {"offset": 0, "epoch": "", "status": "outranked"})


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"channel": ""}, 400, "channel"),
        ({"channel": "two words"}, 400, "channel"),
        ({"channel": "x" * 300}, 400, "channel"),
        ({"channel": 7}, 400, "channel"),
        ({"channel": "nowhere:1"}, 400, "channel"),
        ({"channel": "directives"}, 400, "channel"),
        ({"channel": "inbox:ann"}, 403, "channel"),
        ({"channel": "order:A-1"}, 403, "channel"),
        ({"data": ...}, 400, "data"),
        ({"idempotency_key": ""}, 400, "idempotency_key"),
        ({"idempotency_key": "k" * 129}, 400, "idempotency_key"),
        ({"skip_history": "yes"}, 400, "skip_history"),
        ({"version": 3}, 400, "version"),
        ({"version": 0}, 400, "version"),
        ({"tags": {}}, 400, "tags"),
        ({"b64data": "aGk="}, 400, "b64data"),
    ],
)
async def test_a_bad_publication_is_refused_by_its_field(
    client: Client, topics: FakeTopics, change: dict[str, Any], status: int, field: str
) -> None:
    body = {name: value for name, value in {**NEWS, **change}.items() if value is not ...}
    found, problem = await post(client, "/v1/topics/publish", body)
    assert (found, problem["errors"][0]["field"]) == (status, field)
    assert topics.published == []


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b'{"a":1,"a":2}', 400),
        (b'"\xff"', 400),
        (b'"\\ud800"', 400),
        (b"[" * 40 + b"]" * 40, 400),
        (b"NaN", 400),
        (b'"' + b"x" * 65_536 + b'"', 413),
    ],
    ids=["repeated name", "not UTF-8", "lone surrogate", "deep", "NaN", "large"],
)
async def test_data_that_not_all_read_alike_is_refused(client: Client, data: bytes, status: int) -> None:
    body = b'{"channel":"room:1","data":' + data + b"}"
    headers = {**SERVICE, "Content-Type": "application/json"}
    answer = await client.post("/v1/topics/publish", headers=headers, data=body)
    problem = await answer.json()
    assert answer.status == status
    assert problem["errors"][0]["field"].split(":")[0] in {"data", "body"}


async def test_a_broadcast_answers_for_each_topic(client: Client, topics: FakeTopics) -> None:
    body = {"channels": ["room:1", "inbox:ann", "nowhere:1", "announcements"], "data": 1}
    status, answer = await post(client, "/v1/topics/broadcast", body)
    parts = answer["responses"]
    assert status == 200
    assert [part.get("result", {}).get("offset") for part in parts] == [1, None, None, 2]
    assert [part.get("error", {}).get("code") for part in parts] == [None, 103, 107, None]
    assert parts[2]["error"]["message"].startswith("channels[2]: ")
    assert [publication.topic for publication in topics.published] == ["room:1", "announcements"]


@pytest.mark.parametrize("channels", [[], ["room:1"] * 1_001, "room:1", [""]])
async def test_a_broadcast_needs_between_one_and_a_thousand_topics(client: Client, channels: Any) -> None:
    status, problem = await post(client, "/v1/topics/broadcast", {"channels": channels, "data": 1})
    assert (status, problem["errors"][0]["field"][:8]) == (400, "channels")


# History and presence


async def test_history_is_read_as_it_was_published(client: Client) -> None:
    status, page = await post(client, "/v1/topics/history", {"channel": "room:1", "limit": 2})
    kept = [{"data": {"n": 1}, "offset": 1}, {"data": {"n": 2}, "offset": 2}]
    assert (status, page) == (200, {"publications": kept, "offset": 3, "epoch": "e"})


async def test_without_a_limit_history_is_the_position_only(client: Client) -> None:
    assert (await post(client, "/v1/topics/history", {"channel": "room:1"}))[1]["publications"] == []


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"channel": "inbox:ann"}, 403, "channel"),
        ({"channel": "fleeting:1"}, 400, "channel"),
        ({"channel": "room:1", "limit": 1_001}, 400, "limit"),
        ({"channel": "room:1", "since": {"offset": -1}}, 400, "since.offset"),
        ({"channel": "room:1", "since": {"offset": 1, "epoch": "old"}}, 400, "since.epoch"),
    ],
)
async def test_a_bad_wish_for_history_names_its_field(
    client: Client, body: dict[str, Any], status: int, field: str
) -> None:
    found, problem = await post(client, "/v1/topics/history", body)
    assert (found, problem["errors"][0]["field"]) == (status, field)


async def test_the_history_of_a_topic_of_ones_own_can_be_removed(client: Client, topics: FakeTopics) -> None:
    assert await post(client, "/v1/topics/history_remove", {"channel": "room:1"}) == (200, {})
    assert (await post(client, "/v1/topics/history_remove", {"channel": "order:A-1"}))[0] == 403
    assert topics.forgotten == ["room:1"]


async def test_presence_tells_clients_and_what_others_see_of_them(client: Client) -> None:
    seen = {"user": "ann", "client": "c1", "conn_info": {"name": "Ann"}}
    assert await post(client, "/v1/topics/presence", {"channel": "room:1"}) == (200, {"presence": {"c1": seen}})
    stats = await post(client, "/v1/topics/presence_stats", {"channel": "room:1"})
    assert stats == (200, {"num_clients": 2, "num_users": 1})


async def test_the_presence_of_an_inbox_is_nobodys_business(client: Client) -> None:
    assert (await post(client, "/v1/topics/presence", {"channel": "inbox:ann"}))[0] == 403


async def test_presence_that_is_not_kept_is_told(client: Client) -> None:
    status, problem = await post(client, "/v1/topics/presence", {"channel": "fleeting:1"})
    assert (status, problem["errors"][0]["field"]) == (400, "channel")


# People's connections

ANN = Whose(UserId("ann"))


@pytest.mark.parametrize(
    ("verb", "body", "directive"),
    [
        ("disconnect", {"user": "ann"}, DisconnectUser(ANN, 3503, "force disconnect")),
        (
            "disconnect",
            {"user": "ann", "disconnect": {"code": 4001, "reason": "moved"}, "whitelist": ["c1"]},
            DisconnectUser(ANN, 4001, "moved", ("c1",)),
        ),
        (
            "disconnect",
            {"user": "ann", "client": "c1"},
            DisconnectUser(Whose(UserId("ann"), "c1"), 3503, "force disconnect"),
        ),
        ("subscribe", {"user": "ann", "channel": "room:1"}, SubscribeUser(ANN, Topic("room:1"))),
        (
            "subscribe",
            {"user": "ann", "channel": "room:1", "recover_since": {"offset": 3, "epoch": "e"}},
            SubscribeUser(ANN, Topic("room:1"), Position(Epoch("e"), 3)),
        ),
        ("unsubscribe", {"user": "ann", "channel": "order:A-1"}, UnsubscribeUser(ANN, Topic("order:A-1"))),
        ("refresh", {"user": "ann", "expire_at": 99}, RefreshUser(ANN, 99)),
        ("refresh", {"user": "ann"}, RefreshUser(ANN, None)),
        ("refresh", {"user": "ann", "expired": True}, DisconnectUser(ANN, 3005, "expired")),
    ],
)
async def test_what_is_asked_is_written_for_all_workers(
    client: Client, log: FakeLog, verb: str, body: dict[str, Any], directive: Directive
) -> None:
    assert await post(client, f"/v1/users/{verb}", body) == (200, {})
    assert log.last == directive
    assert msgspec.json.decode(msgspec.json.encode(directive), type=Directive) == directive


@pytest.mark.parametrize(
    ("verb", "body", "expected"),
    [
        ("disconnect", {}, (400, "user")),
        ("disconnect", {"user": "two words"}, (400, "user")),
        ("disconnect", {"user": "ann", "disconnect": {"code": 1000}}, (400, "disconnect.code")),
        ("disconnect", {"user": "ann", "disconnect": {"reason": "x" * 33}}, (400, "disconnect.reason")),
        ("disconnect", {"user": "ann", "client": "a", "whitelist": ["a"]}, (400, "whitelist")),
        ("subscribe", {"user": "ann"}, (400, "channel")),
        ("subscribe", {"user": "ann", "channel": "order:A-1"}, (403, "channel")),
        ("subscribe", {"user": "ann", "channel": "inbox:bob"}, (403, "channel")),
        ("subscribe", {"user": "ann", "channel": "nowhere:1"}, (400, "channel")),
        ("subscribe", {"user": "ann", "channel": "room:1", "session": "s"}, (400, "session")),
        ("unsubscribe", {"user": "ann", "channel": "a b"}, (400, "channel")),
        ("refresh", {"user": "ann", "expired": True, "expire_at": 9}, (400, "expire_at")),
        ("refresh", {"user": "ann", "expire_at": -1}, (400, "expire_at")),
    ],
)
async def test_a_bad_wish_about_a_person_names_its_field(
    client: Client, log: FakeLog, verb: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    status, problem = await post(client, f"/v1/users/{verb}", body)
    assert (status, problem["errors"][0]["field"]) == expected
    assert log.told == {}


async def test_a_directive_sent_again_with_its_key_is_written_once(client: Client, log: FakeLog) -> None:
    for _ in range(2):
        await post(client, "/v1/users/disconnect", {"user": "ann"}, **{"Idempotency-Key": "k"})
    assert len(log.told) == 1


async def test_info_lists_the_workers(client: Client) -> None:
    status, info = await post(client, "/v1/info", {})
    (node,) = info["nodes"]
    assert (status, node["uid"], node["uptime"]) == (200, "w1", 60)
    assert (node["num_clients"], node["num_users"], node["num_channels"], node["num_subs"]) == (3, 2, 4, 9)


# Who may


@pytest.mark.parametrize("role", [Role.SHOPPER, Role.COURIER, Role.AGENT])
async def test_people_do_not_call_what_is_for_services(client: Client, operations: Operations, role: Role) -> None:
    for operation in operations:
        answer = await client.post(operation.http.path, headers=bearer("ann", role), json={})
        assert answer.status == 403, operation.name


async def test_a_scope_may_name_a_family_of_operations(client: Client) -> None:
    headers = {"Authorization": f"Bearer {NARROW.key}"}
    assert (await post(client, "/v1/users/disconnect", {"user": "ann"}, **headers))[0] == 200
    assert (await post(client, "/v1/topics/history", {"channel": "room:1"}, **headers))[0] == 200
    assert (await post(client, "/v1/topics/publish", NEWS, **headers))[0] == 403


# Centrifugo's paths


def credentials(way: str, key: NewApiKey) -> dict[str, str]:
    return {
        "X-API-Key": {"X-API-Key": key.key},
        "apikey": {"Authorization": f"apikey {key.key}"},
        "Bearer": {"Authorization": f"Bearer {key.key}"},
    }[way]


@pytest.mark.parametrize("way", ["X-API-Key", "apikey", "Bearer"])
async def test_centrifugos_publish_works_with_each_way_to_give_the_key(client: Client, way: str) -> None:
    answer = await client.post("/api/publish", headers=credentials(way, KEY), json=NEWS)
    assert (answer.status, await answer.json()) == (
        200,
        {"result": {"offset": 1, "epoch": "e", "status": "published"}},
    )


async def test_centrifugos_paths_tell_a_failure_in_the_body(client: Client) -> None:
    answer = await client.post("/api/publish", headers=credentials("X-API-Key", KEY), json={"channel": "nowhere:1"})
    assert (answer.status, await answer.json()) == (200, {"error": {"code": 107, "message": "data: is missing"}})


async def test_centrifugos_paths_refuse_who_has_no_key(client: Client) -> None:
    for headers in ({}, {"X-API-Key": "db_live_x"}, {"Authorization": "apikey "}):
        answer = await client.post("/api/publish", headers=headers, json=NEWS)
        assert answer.status == 401


async def test_every_method_of_centrifugos_paths_is_served(client: Client) -> None:
    headers = credentials("X-API-Key", KEY)
    for method in METHODS:
        answer = await client.post(f"/api/{method}", headers=headers, json={})
        assert set(await answer.json()) <= {"result", "error"}, method
    info = await (await client.post("/api/info", headers=headers)).json()
    assert info["result"]["nodes"][0]["name"] == "host-1"


async def test_scopes_hold_on_centrifugos_paths_too(client: Client) -> None:
    answer = await client.post("/api/publish", headers=credentials("X-API-Key", NARROW), json=NEWS)
    assert (await answer.json())["error"]["code"] == 103
