from __future__ import annotations

import io
import json

import pytest

from hub.domain.decisions import Outcome
from hub.domain.envelope import Origin, Source
from hub.domain.errors import StoreUnavailable
from tests.unit.api.api_fakes import SERVICE, Client, FakeIngest, bearer, order_placed

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


def headers(content_type: str = STRUCTURED) -> dict[str, str]:
    return {**SERVICE, "Content-Type": content_type}


async def test_an_event_is_accepted_when_its_effects_are_written(client: Client, ingest: FakeIngest) -> None:
    answer = await client.post("/v1/events", headers=headers(), json=order_placed())
    assert answer.status == 202
    assert await answer.json() == {"results": [{"status": "accepted", "id": "e-1"}]}
    assert [incoming.event.id for incoming in ingest.processed] == ["e-1"]


async def test_an_event_carries_where_it_came_from(client: Client, ingest: FakeIngest) -> None:
    await client.post("/v1/events", headers={**headers(), "X-Request-Id": "r-7"}, json=order_placed())
    assert ingest.processed[0].origin == Origin(Source.HTTP, "shop-backend/r-7/0")


async def test_an_event_in_binary_mode_has_its_attributes_in_headers(client: Client, ingest: FakeIngest) -> None:
    attributes = {"ce-specversion": "1.0", "ce-id": "e-2", "ce-source": "/shop", "ce-type": "order.placed"}
    body = order_placed()["data"]
    answer = await client.post("/v1/events", headers={**headers("application/json"), **attributes}, json=body)
    assert answer.status == 202
    assert ingest.processed[0].event.id == "e-2"


async def test_each_event_of_a_batch_gets_its_result(client: Client, ingest: FakeIngest) -> None:
    ingest.outcomes = [Outcome.APPLIED, Outcome.REPLAYED, Outcome.PARKED]
    batch = [order_placed(f"e-{n}") for n in range(3)]
    answer = await client.post("/v1/events", headers=headers(BATCH), json=batch)
    assert [item["status"] for item in (await answer.json())["results"]] == ["accepted", "duplicate", "parked"]


async def test_a_bad_event_of_a_batch_keeps_no_other_from_being_written(client: Client, ingest: FakeIngest) -> None:
    bad = order_placed("e-1", total=None)
    answer = await client.post(
        "/v1/events", headers=headers(BATCH), json=[order_placed("e-0"), bad, order_placed("e-2")]
    )
    assert answer.status == 202
    results = (await answer.json())["results"]
    assert [item["status"] for item in results] == ["accepted", "rejected", "accepted"]
    assert results[1]["field"] == "[1].data.total"
    assert [letter.field for letter in ingest.rejected] == ["[1].data.total"]
    assert json.loads(ingest.rejected[0].body) == bad


async def test_an_event_of_an_unknown_type_is_ignored_not_refused(client: Client, ingest: FakeIngest) -> None:
    answer = await client.post("/v1/events", headers=headers(), json={**order_placed(), "type": "basket.filled"})
    assert answer.status == 202
    assert (await answer.json())["results"][0]["status"] == "ignored"
    assert ingest.processed == []


async def test_a_batch_without_one_good_event_is_refused_whole(client: Client, ingest: FakeIngest) -> None:
    batch = [order_placed("a", total=None), order_placed("b", customer_id=7)]
    answer = await client.post("/v1/events", headers=headers(BATCH), json=batch)
    assert answer.status == 400
    assert [item["field"] for item in (await answer.json())["errors"]] == ["[0].data.total", "[1].data.customer_id"]
    assert (ingest.processed, ingest.rejected) == ([], [])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"not json", "body"),
        (b"\xff\xfe", "body"),
        (b"{}", "specversion"),
        (b"[]", "body"),
        (b'{"specversion":"1.0","specversion":"1.0"}', "specversion"),
        (json.dumps(order_placed(total={"amount_minor": 1.5, "currency": "EUR"})).encode(), "data.total.amount_minor"),
        (json.dumps(order_placed(total={"amount_minor": 1, "currency": "XXZ"})).encode(), "data.total.currency"),
        (json.dumps(order_placed(order_id="two words")).encode(), "data.order_id"),
        (json.dumps(order_placed(x=float("nan"))).encode(), "body"),
        (b"[" * 100 + b"]" * 100, "body"),
    ],
)
async def test_a_bad_event_is_refused_by_the_name_of_its_field(client: Client, body: bytes, field: str) -> None:
    content_type = BATCH if body == b"[]" else STRUCTURED
    answer = await client.post("/v1/events", headers=headers(content_type), data=body)
    assert answer.status == 400
    problem = await answer.json()
    assert problem["errors"][0]["field"] == field, problem


@pytest.mark.parametrize(
    ("content_type", "size"), [(STRUCTURED, 256 * 1_024 + 1), (BATCH, 1_024 * 1_024 + 1)], ids=["event", "batch"]
)
async def test_a_body_above_the_bound_is_refused(client: Client, content_type: str, size: int) -> None:
    answer = await client.post("/v1/events", headers=headers(content_type), data=io.BytesIO(b" " * size))
    assert answer.status == 413
    assert (await answer.json())["type"] == "/problems/too-large"


async def test_nobody_but_a_service_may_publish(client: Client, ingest: FakeIngest) -> None:
    answer = await client.post("/v1/events", headers={**headers(), **bearer("u-1")}, json=order_placed())
    assert answer.status == 403
    assert ingest.processed == []


async def test_nothing_is_accepted_while_redis_is_away(client: Client, ingest: FakeIngest) -> None:
    ingest.error = StoreUnavailable("connection refused at 10.0.0.7")
    answer = await client.post("/v1/events", headers=headers(), json=order_placed())
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert "10.0.0.7" not in await answer.text()
