from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import structlog

from hub.domain.permission import Role
from hub.service.calls import Operations
from hub.service.identity.tokens import mint_token
from hub.service.operations import PEOPLE, Call, Http, Operation, Repeat
from hub.service.rate import Rate, RateLimiter
from tests.unit.api.api_fakes import SERVICE, TOKEN, Client, Echo, FakeSender, bearer, echo_operation


@pytest.fixture
def operations(sender: FakeSender) -> Operations:
    async def crash(_: Call, __: Echo) -> Echo:
        raise RuntimeError("the secret of the machine")

    crashing: Operation[Echo, Echo] = Operation(
        name="test.crash",
        summary="Crash.",
        request=Echo,
        response=Echo,
        roles=PEOPLE,
        http=Http("POST", "/v1/crash"),
        handler=crash,
        rate=Rate(count=100, window_s=1.0),
        repeat=Repeat.IDEMPOTENT,
    )
    return Operations([echo_operation(), echo_operation("POST"), crashing], rates=RateLimiter(), monotonic=lambda: 0.0)


async def problem_of(client: Client, method: str, path: str, **request: Any) -> tuple[int, dict[str, Any]]:
    answer = await client.request(method, path, **{"headers": bearer(), **request})
    assert answer.content_type == "application/problem+json"
    problem: dict[str, Any] = await answer.json()
    assert (problem["status"], bool(problem["title"]), problem["type"][:10]) == (answer.status, True, "/problems/")
    return answer.status, problem


async def test_fields_come_from_the_path_and_the_query(client: Client) -> None:
    answer = await client.get("/v1/echo/kettle?limit=7&flag=true", headers=bearer())
    assert (answer.status, await answer.json()) == (200, {"name": "kettle", "limit": 7, "flag": True})


async def test_fields_come_from_the_body(client: Client) -> None:
    answer = await client.post("/v1/echo", headers=bearer(), json={"name": "kettle"})
    assert await answer.json() == {"name": "kettle", "limit": 1, "flag": False}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=many", "limit"),
        ("limit=0", "limit"),
        ("flag=perhaps", "flag"),
        ("colour=red", "colour"),
        ("limit=1&limit=2", "limit"),
        ("name=other", "name"),
    ],
)
async def test_a_bad_query_is_refused_by_the_name_of_its_field(client: Client, query: str, field: str) -> None:
    status, problem = await problem_of(client, "GET", f"/v1/echo/kettle?{query}")
    assert (status, problem["errors"][0]["field"]) == (400, field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"null", "body"),
        (b'{"limit":1}', "name"),
        (b'{"name":7}', "name"),
        (b'{"name":"x","limit":1.5}', "limit"),
        (b'{"name":"x","colour":"red"}', "colour"),
        (b'{"name":"\xff"}', "body"),
        (b'{"name":"x","limit":NaN}', "body"),
        (b"[" * 5_000, "body"),
    ],
)
async def test_a_bad_body_is_refused_by_the_name_of_its_field(client: Client, body: bytes, field: str) -> None:
    headers = {**bearer(), "Content-Type": "application/json"}
    status, problem = await problem_of(client, "POST", "/v1/echo", headers=headers, data=body)
    assert (status, problem["errors"][0]["field"]) == (400, field)


async def test_another_content_type_is_refused(client: Client) -> None:
    assert (await problem_of(client, "POST", "/v1/echo", data=b"name=x"))[0] == 415


async def test_a_compressed_body_is_refused(client: Client) -> None:
    headers = {**bearer(), "Content-Type": "application/json", "Content-Encoding": "gzip"}
    status, _ = await problem_of(client, "POST", "/v1/echo", headers=headers, data=b"\x1f\x8b")
    assert status in {400, 415}


async def test_a_body_above_the_bound_is_refused_also_without_a_length(client: Client) -> None:
    async def endless() -> Any:
        for _ in range(70):
            yield b" " * 1_024

    headers = {**bearer(), "Content-Type": "application/json"}
    assert (await problem_of(client, "POST", "/v1/echo", headers=headers, data=endless()))[0] == 413


async def test_a_body_that_trickles_is_given_up(client: Client) -> None:
    async def slow() -> Any:
        yield b"{"
        await asyncio.sleep(2)
        yield b"}"

    headers = {**bearer(), "Content-Type": "application/json"}
    assert (await problem_of(client, "POST", "/v1/echo", headers=headers, data=slow()))[0] == 408


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic dTpw", "Bearer no-token", "Bearer db_live_000000000000_00_00"]
)
async def test_without_good_credentials_nobody_gets_in(client: Client, value: str) -> None:
    status, problem = await problem_of(client, "GET", "/v1/echo/kettle", headers={"Authorization": value})
    assert (status, problem["type"]) == (401, "/problems/unauthenticated")


async def test_an_expired_token_is_told_apart(client: Client) -> None:
    token = mint_token(TOKEN, user="u-1", role=Role.SHOPPER, ttl_s=-60)
    status, problem = await problem_of(client, "GET", "/v1/echo/x", headers={"Authorization": f"Bearer {token}"})
    assert (status, problem["type"]) == (401, "/problems/token-expired")


async def test_a_token_in_the_query_is_no_credential(client: Client) -> None:
    token = mint_token(TOKEN, user="u-1", role=Role.SHOPPER, ttl_s=60)
    assert (await problem_of(client, "GET", f"/v1/echo/x?access_token={token}", headers={}))[0] == 401


async def test_a_role_that_may_not_is_refused(client: Client) -> None:
    assert (await problem_of(client, "GET", "/v1/echo/x", headers=SERVICE))[0] == 403


async def test_every_answer_says_what_is_left_of_the_rate_limit(client: Client) -> None:
    answer = await client.get("/v1/echo/x", headers=bearer())
    assert answer.headers["RateLimit-Policy"] == '"test.echo";q=3;w=60'
    assert answer.headers["RateLimit"] == '"test.echo";r=2;t=20'


async def test_above_the_rate_limit_a_caller_is_told_when_to_come_back(client: Client) -> None:
    for _ in range(3):
        await client.get("/v1/echo/x", headers=bearer())
    answer = await client.get("/v1/echo/x", headers=bearer())
    assert (answer.status, answer.headers["Retry-After"]) == (429, "20")
    assert answer.headers["RateLimit"].startswith('"test.echo";r=0;')
    assert (await client.get("/v1/echo/x", headers=bearer("u-2"))).status == 200


async def test_bad_requests_count_against_the_limit(client: Client) -> None:
    statuses = [(await client.get("/v1/echo/x?limit=no", headers=bearer())).status for _ in range(4)]
    assert statuses == [400, 400, 400, 429]


async def test_a_mistake_of_ours_is_not_explained_to_callers(client: Client) -> None:
    status, problem = await problem_of(client, "POST", "/v1/crash", json={"name": "x"})
    assert status == 500
    assert "secret" not in json.dumps(problem)


async def test_an_unknown_path_is_a_problem(client: Client) -> None:
    assert (await problem_of(client, "GET", "/v1/nothing"))[0] == 404


async def test_a_wrong_method_says_which_are_right(client: Client) -> None:
    answer = await client.delete("/v1/echo", headers=bearer())
    assert (answer.status, answer.headers["Allow"], answer.content_type) == (405, "POST", "application/problem+json")


@pytest.mark.parametrize(
    ("sent", "returned"),
    [
        ({"X-Request-Id": "r-1"}, "r-1"),
        ({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, "a" * 32),
        ({"X-Request-Id": "r-1", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, "r-1"),
    ],
)
async def test_the_correlation_id_of_the_caller_comes_back(client: Client, sent: dict[str, str], returned: str) -> None:
    answer = await client.get("/v1/echo/x", headers={**bearer(), **sent})
    assert answer.headers["X-Request-Id"] == returned


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"X-Request-Id": "two words"},
        {"X-Request-Id": "x" * 129},
        {"traceparent": f"00-{'0' * 32}-{'b' * 16}-01"},
    ],
)
async def test_without_a_good_correlation_id_there_is_a_new_one(client: Client, sent: dict[str, str]) -> None:
    answer = await client.get("/v1/echo/x?limit=no", headers={**bearer(), **sent})
    made = answer.headers["X-Request-Id"]
    assert len(made) == 32
    assert (await answer.json())["instance"] == f"urn:request:{made}"


async def test_answers_keep_browsers_from_guessing(client: Client) -> None:
    answer = await client.get("/v1/echo/x", headers=bearer())
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_answers_do_not_tell_versions(client: Client) -> None:
    assert (await client.get("/v1/echo/x", headers=bearer())).headers["Server"] == "doorbell"


async def test_what_an_admin_does_is_in_the_audit_log(client: Client) -> None:
    headers = {**bearer("root", Role.ADMIN), "X-Request-Id": "r-1"}
    with structlog.testing.capture_logs() as logged:
        await client.get("/v1/echo/x?limit=no", headers=headers)
        await client.get("/v1/echo/x", headers=bearer())
    lines = [line for line in logged if line["event"] == "audit"]
    assert [(line["actor"], line["operation"], line["status"], line["request_id"]) for line in lines] == [
        ("root", "test.echo", 400, "r-1")
    ]
