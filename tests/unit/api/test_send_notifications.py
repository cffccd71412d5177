from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.domain.channels import EMAIL
from hub.domain.notifications import Lane, Throttle
from tests.unit.api.api_fakes import SERVICE, Client, FakeCancelKeys, FakeSender, bearer

NOTE = {"user": "u-1", "title": "Hello", "body": "Your gift card is here."}


async def send(client: Client, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await client.post("/v1/notifications", headers=SERVICE, json=fields)
    return answer.status, await answer.json()


def nested(levels: int) -> list[Any]:
    return [nested(levels - 1)] if levels else []


async def test_a_title_and_a_body_are_shown_as_they_are(client: Client, sender: FakeSender) -> None:
    status, answer = await send(client, NOTE)
    (note,) = sender.sent.values()
    assert (status, answer) == (202, {"id": note.id, "status": "created"})
    assert (note.user, note.template, note.lane) == ("u-1", "message", Lane.TRANSACTIONAL)
    assert note.context == {"title": "Hello", "body": "Your gift card is here."}


async def test_a_template_gets_its_context(client: Client, sender: FakeSender) -> None:
    wish = {"user": "u-1", "template": "order-packed", "context": {"order_id": "A-1"}}
    assert (await send(client, wish))[0] == 202
    (note,) = sender.sent.values()
    assert (note.template, note.context) == ("order-packed", {"order_id": "A-1"})


async def test_lane_ladder_expiry_collapse_key_and_link_are_taken(client: Client, sender: FakeSender) -> None:
    ladder = [{"channel": "email", "after_s": 60}]
    wish = {**NOTE, "lane": "marketing", "ladder": ladder, "expires_in_s": 60, "collapse_key": "c", "link": "/gifts/7"}
    wish["digest_s"] = 30
    assert (await send(client, wish))[0] == 202
    (note,) = sender.sent.values()
    assert (note.lane, note.collapse_key, note.link, note.digest_s) == (Lane.MARKETING, "c", "/gifts/7", 30)
    assert [(step.channel, step.after_s) for step in note.ladder] == [(EMAIL, 60.0)]
    assert note.expires_ms == note.created_ms + 60_000


async def test_a_throttle_is_taken_under_its_key(client: Client, sender: FakeSender) -> None:
    wish = {**NOTE, "throttle": {"count": 2, "per_s": 3_600, "key": "eta:S-1"}}
    assert (await send(client, wish))[0] == 202
    assert [note.throttle for note in sender.sent.values()] == [Throttle("eta:S-1", 2, 3_600)]


async def test_the_same_id_is_sent_once_for_one_person(client: Client, sender: FakeSender) -> None:
    statuses = [(await send(client, {**NOTE, "id": "gift-7"}))[1]["status"] for _ in range(2)]
    assert statuses == ["created", "duplicate"]
    await send(client, {**NOTE, "id": "gift-7", "user": "u-2"})
    assert len(sender.sent) == 2


async def test_without_an_id_every_request_is_another_notification(client: Client, sender: FakeSender) -> None:
    for _ in range(2):
        await send(client, NOTE)
    assert len(sender.sent) == 2


async def test_promotion_goes_by_the_lane_that_asks_for_consent(client: Client, sender: FakeSender) -> None:
    await send(client, {**NOTE, "category": "marketing"})
    assert [note.lane for note in sender.sent.values()] == [Lane.MARKETING]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"user": None}, "user"),
        ({"user": "two words"}, "user"),
        ({"user": "x" * 129}, "user"),
        ({"title": None}, "title"),
        ({"body": None}, "body"),
        ({"title": ""}, "title"),
        ({"body": "x" * 2_001}, "body"),
        ({"template": "order-packed"}, "title"),
        ({"context": {"a": 1}}, "context"),
        ({"lane": "express"}, "lane"),
        ({"category": "marketing", "lane": "transactional"}, "lane"),
        ({"category": "Two Words"}, "category"),
        ({"ladder": [{"channel": "pigeon"}]}, "ladder[0].channel"),
        ({"ladder": [{"channel": "inbox"}]}, "ladder[0].channel"),
        ({"ladder": [{"channel": "email", "after_s": -1}]}, "ladder[0].after_s"),
        ({"ladder": [{"channel": "email", "at": 1}]}, "ladder[0].at"),
        ({"ladder": [{"channel": "email"}] * 9}, "ladder"),
        ({"expires_in_s": 0}, "expires_in_s"),
        ({"link": "https://evil.example"}, "link"),
        ({"link": "//evil.example"}, "link"),
        ({"link": "/\\evil.example"}, "link"),
        ({"colour": "red"}, "colour"),
        ({"id": ""}, "id"),
        ({"cancel_key": ""}, "cancel_key"),
        ({"send_at": "tomorrow"}, "send_at"),
        ({"digest_s": 0}, "digest_s"),
        ({"digest_s": 604_801}, "digest_s"),
        ({"digest_s": 60, "lane": "critical"}, "digest_s"),
        ({"throttle": {"count": 0, "per_s": 60, "key": "k"}}, "throttle.count"),
        ({"throttle": {"count": 101, "per_s": 60, "key": "k"}}, "throttle.count"),
        ({"throttle": {"count": 1, "per_s": 0, "key": "k"}}, "throttle.per_s"),
        ({"throttle": {"count": 1, "per_s": 60, "key": ""}}, "throttle.key"),
        ({"throttle": {"count": 1, "per_s": 60}}, "throttle.key"),
        ({"throttle": {"count": 1, "per_s": 60, "key": "k", "per": "1h"}}, "throttle.per"),
        ({"throttle": {"count": 1, "per_s": 60, "key": "k"}, "digest_s": 60}, "throttle"),
        ({"send_at": "2026-11-24T12:00:00"}, "send_at"),
        ({"send_at": "9999-01-01T00:00:00Z"}, "send_at"),
        ({"cancel_key": "x" * 129}, "cancel_key"),
    ],
)
async def test_a_bad_wish_is_refused_by_the_name_of_its_field(
    client: Client, sender: FakeSender, change: dict[str, Any], field: str
) -> None:
    wish = {name: value for name, value in {**NOTE, **change}.items() if value is not None}
    status, problem = await send(client, wish)
    assert (status, problem["errors"][0]["field"]) == (400, field), problem
    assert sender.sent == {}


@pytest.mark.parametrize(
    ("template", "context", "field"),
    [
        ("no-such", {}, "template"),
        ("order-packed", {}, "context.order_id"),
        ("order-packed", {"order_id": "x" * 20_000}, "context"),
        ("order-packed", {"order_id": "A-1", "deep": nested(40)}, "context"),
        ("order-packed", {"order_id": "A-1", "deep": nested(500)}, "context"),
    ],
)
async def test_a_template_is_checked(client: Client, template: str, context: dict[str, Any], field: str) -> None:
    status, problem = await send(client, {"user": "u-1", "template": template, "context": context})
    assert (status, problem["errors"][0]["field"]) == (400, field)


@pytest.mark.parametrize("body", [json.dumps(NOTE), "x" * 200_000])
async def test_a_shopper_may_not_send_whatever_comes_along(client: Client, sender: FakeSender, body: str) -> None:
    answer = await client.post("/v1/notifications", headers=bearer("u-1"), data=body)
    assert answer.status == 403
    assert sender.sent == {}


async def test_what_is_sent_ahead_of_its_time_is_scheduled_and_expires_from_then(
    client: Client, sender: FakeSender
) -> None:
    at = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
    wish = {**NOTE, "id": "gift-7", "send_at": at.isoformat(), "expires_in_s": 60}
    statuses = [(await send(client, wish))[1]["status"] for _ in range(2)]
    assert statuses == ["scheduled", "duplicate"]
    (note,) = sender.postponed.values()
    assert note.created_ms == at.timestamp() * 1_000
    assert note.expires_ms == note.created_ms + 60_000
    assert sender.sent == {}


async def test_a_time_that_has_passed_is_now(client: Client, sender: FakeSender) -> None:
    assert (await send(client, {**NOTE, "send_at": "2020-01-01T00:00:00+02:00"}))[1]["status"] == "created"
    (note,) = sender.sent.values()
    assert note.created_ms > datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1_000


CART = {"user": "u-1", "cancel_key": "cart:7"}


async def cancel(client: Client, wish: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await client.post("/v1/notifications/cancel", headers=SERVICE, json=wish)
    return answer.status, await answer.json()


async def test_what_is_sent_after_a_cancel_is_of_a_later_generation(client: Client, sender: FakeSender) -> None:
    await send(client, {**NOTE, **CART})
    assert await cancel(client, CART) == (200, {"cancelled": 1})
    await send(client, {**NOTE, **CART})
    await send(client, NOTE)
    assert [(note.cancel_key, note.generation) for note in sender.sent.values()] == [
        ("cart:7", 0),
        ("cart:7", 1),
        ("", 0),
    ]


@pytest.mark.parametrize(
    ("change", "field"), [({"user": None}, "user"), ({"cancel_key": None}, "cancel_key"), ({"all": True}, "all")]
)
async def test_a_bad_cancel_is_refused_by_the_name_of_its_field(
    client: Client, change: dict[str, Any], field: str
) -> None:
    wish = {name: value for name, value in {**CART, **change}.items() if value is not None}
    status, problem = await cancel(client, wish)
    assert (status, problem["errors"][0]["field"]) == (400, field)


async def test_a_shopper_may_not_cancel(client: Client, cancel_keys: FakeCancelKeys) -> None:
    answer = await client.post("/v1/notifications/cancel", headers=bearer("u-1"), json=CART)
    assert answer.status == 403
    assert not cancel_keys.cancels
