"""Bulks and segments over HTTP, with Redis, delivery workers and a mail relay behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from channels.standins.mail_relay import MailRelay
from channels.standins.script import Fault, Phase
from hub.api.app import build_app
from hub.api.health import Health
from hub.app import Stores, build_effects, build_renderer, open_stores
from hub.domain.bulks import MAX_RECIPIENTS, BulkId
from hub.domain.channels import EMAIL
from hub.domain.decisions import Aggregate, AggregateKind, Change
from hub.domain.events import Consent
from hub.domain.ids import UserId
from hub.domain.people import Person, encode_person
from hub.observe import BULKS_BROKEN
from hub.roles.back import build_back
from hub.roles.deliver import build_expansion, build_runner, build_tools, open_channels
from hub.roles.front import build_front
from hub.service.identity.api_keys import make_api_key
from hub.service.identity.key_sets import fixed_keys
from hub.service.sending.bulk_expansion import BulkExpansion
from hub.settings import Delivery, Settings, Smtp, Token
from hub.store.bulks import CHUNK
from hub.store.clock import unix_ms
from hub.store.connection import pipelined
from hub.store.round_trip import Command
from tests.mail_relay import mail_relay

__all__ = ["mail_relay"]

Client = TestClient[web.Request, web.Application]
KEY = make_api_key("campaigns")
AUTH = {"Authorization": f"Bearer {KEY.key}"}
RENDERER = build_renderer(Settings())
WISH = {"template": "message", "context": {"title": "Sale", "body": "Boots, half price."}}
BY_EMAIL = [{"channel": "email"}]


class Place:
    """An installation: its API, its stores, its relay and what a delivery worker is made of."""

    def __init__(self, settings: Settings, stores: Stores, client: Client, relay: MailRelay) -> None:
        self.settings = settings
        self.stores = stores
        self.client = client
        self.relay = relay
        self.effects = build_effects(settings, stores, RENDERER)

    async def knows(self, users: Sequence[str]) -> None:
        """Make people with mailboxes known, who want marketing."""
        consent = {EMAIL: Consent(granted=True)}
        people = [Person(UserId(user), email=f"{user}@example.com", consent=consent) for user in users]
        changes = [Change(Aggregate(AggregateKind.PERSON, each.user), 0, encode_person(each)) for each in people]
        await self.stores.documents.apply_many(changes)

    async def breaks(self, key: str, field: str) -> None:
        """Put something into a hash that no version of ours has written."""
        write: Command = ("HSET", key, field, "}")
        await pipelined(self.stores.server, [write], what="test")

    async def post(self, path: str, body: Any, *, status: int) -> Any:
        answer = await self.client.post(path, headers=AUTH, json=body)
        assert answer.status == status, await answer.text()
        return await answer.json()

    async def get(self, path: str, *, status: int = 200) -> Any:
        answer = await self.client.get(path, headers=AUTH)
        assert answer.status == status, await answer.text()
        return await answer.json()

    async def send_many(self, recipients: Sequence[Any], *, status: int = 202, **more: Any) -> Any:
        return await self.post("/v1/bulks", {**WISH, "recipients": recipients, **more}, status=status)

    async def counts(self, bulk: str) -> dict[str, int]:
        """Return the outcomes that have any people."""
        status = await self.get(f"/v1/bulks/{bulk}")
        return {name: count for name, count in status["counts"].items() if count}

    async def settled(self, bulk: str, **counts: int) -> None:
        """Wait until a bulk has come to these outcomes."""
        seen: dict[str, int] = {}
        async with asyncio.timeout(20):
            while seen != counts:
                seen = await self.counts(bulk)
                await asyncio.sleep(0.02)

    def expansion(self, *, per_second: float = 100_000.0) -> BulkExpansion:
        return BulkExpansion(
            self.stores.bulks,
            self.stores.segments,
            sender=self.effects,
            jobs=self.stores.jobs,
            per_second=per_second,
            clock=unix_ms,
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Run a delivery worker for the block."""
        stop = asyncio.Event()
        tools = build_tools(self.settings, RENDERER)
        async with open_channels(self.settings, self.stores, tools) as channels, asyncio.TaskGroup() as work:
            runner = build_runner(self.settings, self.stores, channels, tools=tools, effects=self.effects)
            work.create_task(runner.run(stop, drain_s=5.0))
            work.create_task(build_expansion(self.settings, self.stores, self.effects).run(stop))
            try:
                yield
            finally:
                stop.set()


@pytest_asyncio.fixture
async def place(redis_url: str, key_prefix: str, mail_relay: MailRelay) -> AsyncIterator[Place]:
    settings = Settings(
        key_prefix=key_prefix,
        api_keys=(KEY.setting,),
        token=Token(hmac_secret="a secret of thirty-two bytes or more"),
        smtp=Smtp(url=mail_relay.url, pool_size=8, timeout_s=2.0),
        delivery=Delivery(
            shards=2, bulk_per_second=100_000.0, backoff_first_s=0.05, backoff_max_s=0.05, max_attempts=2
        ),
    )
    async with open_stores(settings, redis_url) as stores:
        front = build_front(settings, build_back(settings, stores, RENDERER), keys=fixed_keys(()))
        app = build_app(operations=front.operations, authenticate=front.authenticate, health=Health({}))
        async with TestClient(TestServer(app)) as client:
            yield Place(settings, stores, client, mail_relay)


def users(count: int) -> list[str]:
    return [f"u-{number:05d}" for number in range(count)]


def titled(names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"user": name, "context": {"title": f"For {name}"}} for name in names]


async def recipients_of(relay: MailRelay) -> list[str]:
    return sorted(address for mail in relay.outbox.mails() for address in mail.recipients)


async def test_everybody_gets_their_own_words_in_the_inbox_and_by_mail(place: Place) -> None:
    names = users(2 * CHUNK + 7)
    await place.knows(names)
    taken = await place.send_many(titled(names), ladder=BY_EMAIL)
    assert (taken["status"], taken["accepted"], taken["refused"]) == ("accepted", len(names), [])
    async with place.working():
        await place.settled(taken["id"], sent=len(names))
    assert await recipients_of(place.relay) == [f"{name}@example.com" for name in names]
    page = await place.stores.inbox.page(UserId(names[70]), cursor=None, limit=10)
    assert [(item.entry.title, item.entry.category) for item in page.items] == [(f"For {names[70]}", "marketing")]
    status = await place.get(f"/v1/bulks/{taken['id']}")
    assert (status["accepted"], status["reached"], status["over"]) == (len(names), len(names), True)


async def test_recipients_that_are_not_valid_are_told_and_keep_nobody_waiting(place: Place) -> None:
    await place.knows(["ann"])
    listed = [{"user": "ann"}, {"user": ""}, {"user": "ann"}, {"user": "bob", "context": {"title": "x" * 20_000}}, 7]
    taken = await place.send_many(listed, ladder=BY_EMAIL)
    assert (taken["accepted"], taken["refused_count"]) == (1, 4)
    assert [(each["index"], each["field"]) for each in taken["refused"]] == [
        (1, "recipients[1].user"),
        (2, "recipients[2].user"),
        (3, "recipients[3].context"),
        (4, "recipients[4].body"),
    ]
    async with place.working():
        await place.settled(taken["id"], sent=1, refused=4)


async def test_a_bulk_without_one_valid_recipient_is_refused_as_a_whole(place: Place) -> None:
    problem = await place.post(
        "/v1/bulks", {"template": "message", "recipients": [{"user": "ann"}], "id": "w"}, status=400
    )
    assert problem["errors"] == [
        {"field": "recipients[0].context.body", "problem": "is missing; the template message shows it"}
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"recipients": []}, "recipients"),
        ({"segment": "buyers"}, "recipients"),
        ({"template": "no-such"}, "template"),
        ({"recipients": [{"user": "ann"}] * (MAX_RECIPIENTS + 1)}, "recipients"),
        ({"ladder": [{"channel": "pigeon"}]}, "ladder[0].channel"),
        ({"lane": "critical"}, "lane"),
        ({"send_at": "2100-01-01T00:00:00Z"}, "send_at"),
        ({"throttle": {"count": 1, "per_s": 0, "key": "k"}}, "throttle.per_s"),
    ],
)
async def test_what_concerns_everybody_is_refused_at_once(place: Place, change: dict[str, Any], field: str) -> None:
    problem = await place.post("/v1/bulks", {**WISH, "recipients": [{"user": "ann"}], **change}, status=400)
    assert [each["field"] for each in problem["errors"]] == [field]


async def test_the_same_id_is_sent_once(place: Place) -> None:
    names = users(60)
    await place.knows(names)
    first, again = [await place.send_many(titled(names), ladder=BY_EMAIL, id="spring") for _ in range(2)]
    assert (again["status"], again["id"], again["accepted"]) == ("duplicate", first["id"], 60)
    async with place.working():
        await place.settled(first["id"], sent=60)
        late = await place.send_many(titled(names), ladder=BY_EMAIL, id="spring")
        assert late["status"] == "duplicate"
        other = await place.send_many(titled(names[:1]), ladder=BY_EMAIL, id="summer")
        await place.settled(other["id"], sent=1)
    assert place.relay.outbox.total == 61


async def test_only_those_for_whom_it_failed_are_sent_to_again(place: Place) -> None:
    names = users(CHUNK + 10)
    await place.knows(names)
    for name in names[:3]:
        place.relay.faults.add(Fault(Phase.RCPT, reply="554 5.7.1 not today", recipient=name, times=None))
    bulk = (await place.send_many(titled(names), ladder=BY_EMAIL))["id"]
    async with place.working():
        await place.settled(bulk, sent=len(names) - 3, failed=3)
        place.relay.faults.clear()
        assert await place.post("/v1/bulks/retry", {"id": bulk}, status=200) == {"retried": 3}
        await place.settled(bulk, sent=len(names))
        assert await place.post("/v1/bulks/retry", {"id": bulk}, status=200) == {"retried": 0}
    assert await recipients_of(place.relay) == [f"{name}@example.com" for name in names]
    assert (await place.get(f"/v1/bulks/{bulk}"))["retries"] == 1


async def test_whoever_is_sent_to_again_climbs_the_whole_ladder(place: Place) -> None:
    await place.knows(["ann"])
    # Both steps of the first round fail, and the first one of the second.
    place.relay.faults.add(Fault(Phase.RCPT, reply="554 5.7.1 not today", times=3))
    bulk = (await place.send_many([{"user": "ann"}], ladder=[*BY_EMAIL, *BY_EMAIL]))["id"]
    async with place.working():
        await place.settled(bulk, failed=1)
        assert await place.post("/v1/bulks/retry", {"id": bulk}, status=200) == {"retried": 1}
        await place.settled(bulk, sent=1)
    assert await recipients_of(place.relay) == ["ann@example.com"]


async def test_who_cannot_be_reached_is_skipped_and_not_sent_to_again(place: Place) -> None:
    await place.knows(["ann"])
    bulk = (await place.send_many([{"user": "ann"}, {"user": "nobody"}], ladder=BY_EMAIL))["id"]
    async with place.working():
        await place.settled(bulk, sent=1, skipped=1)
    assert await place.post("/v1/bulks/retry", {"id": bulk}, status=200) == {"retried": 0}


async def test_marketing_without_consent_is_skipped_and_other_categories_need_none(place: Place) -> None:
    person = Person(UserId("ann"), email="ann@example.com")
    change = Change(Aggregate(AggregateKind.PERSON, person.user), 0, encode_person(person))
    await place.stores.documents.apply_many([change])
    sale = (await place.send_many([{"user": "ann"}], ladder=BY_EMAIL))["id"]
    terms = (await place.send_many([{"user": "ann"}], ladder=BY_EMAIL, category="terms"))["id"]
    async with place.working():
        await place.settled(sale, skipped=1)
        await place.settled(terms, sent=1)
    assert place.relay.outbox.total == 1


async def test_without_a_ladder_the_inbox_is_all(place: Place) -> None:
    bulk = (await place.send_many([{"user": "ann"}, {"user": "bob"}]))["id"]
    async with place.working():
        await place.settled(bulk, sent=2)
    assert place.relay.outbox.total == 0


async def test_a_bulk_goes_to_the_members_that_a_segment_has_when_it_is_sent(place: Place) -> None:
    names = users(2 * CHUNK)
    await place.knows(names)
    await place.post("/v1/segments/put", {"name": "buyers", "users": names}, status=200)
    bulk = (await place.post("/v1/bulks", {**WISH, "segment": "buyers", "ladder": BY_EMAIL}, status=202))["id"]
    await place.post("/v1/segments/put", {"name": "buyers", "users": ["later"]}, status=200)
    async with place.working():
        await place.settled(bulk, sent=len(names))
    assert await recipients_of(place.relay) == [f"{name}@example.com" for name in names]


async def test_members_are_kept_for_a_bulk_that_is_sent_ahead_of_its_time(place: Place) -> None:
    await place.post("/v1/segments/put", {"name": "buyers", "users": ["ann"]}, status=200)
    segment = await place.stores.segments.read("buyers")
    assert segment is not None
    at = datetime.now(UTC) + timedelta(days=60)
    wish = {**WISH, "segment": "buyers", "send_at": at.isoformat()}
    await place.post("/v1/bulks", wish, status=202)
    await place.post("/v1/segments/put", {"name": "buyers", "users": ["later"]}, status=200)
    key = place.stores.keys.segment_members("buyers", segment.generation)
    (lifetime_s,) = await pipelined(place.stores.server, [("TTL", key)], what="test")
    assert lifetime_s > timedelta(days=66).total_seconds()


async def test_a_bulk_that_is_sent_ahead_begins_at_its_time(place: Place) -> None:
    await place.knows(["ann"])
    at = datetime.now(UTC) + timedelta(milliseconds=500)
    bulk = (await place.send_many([{"user": "ann"}], send_at=at.isoformat()))["id"]
    async with place.working():
        await place.settled(bulk, sent=1)
    assert datetime.now(UTC) >= at
    (item,) = (await place.stores.inbox.page(UserId("ann"), cursor=None, limit=1)).items
    assert item.entry.created_ms == int(at.timestamp() * 1_000)


async def test_another_worker_goes_on_where_one_has_stopped(place: Place) -> None:
    names = users(4 * CHUNK)
    await place.knows(names)
    bulk = (await place.send_many(titled(names), ladder=BY_EMAIL))["id"]
    stop = asyncio.Event()
    first = asyncio.create_task(place.expansion(per_second=CHUNK / 5).run(stop))
    async with asyncio.timeout(10):
        while not (await place.get(f"/v1/bulks/{bulk}"))["reached"]:  # noqa: ASYNC110 - Redis sets no event
            await asyncio.sleep(0.01)
    stop.set()
    await first
    status = await place.get(f"/v1/bulks/{bulk}")
    assert (status["reached"], status["over"], status["counts"]["waiting"]) == (CHUNK, False, len(names))
    await place.post("/v1/bulks/retry", {"id": bulk}, status=409)
    async with place.working():
        await place.settled(bulk, sent=len(names))
    assert await recipients_of(place.relay) == [f"{name}@example.com" for name in names]


async def test_a_cancelled_bulk_reaches_nobody_else_and_drops_what_waits(place: Place) -> None:
    names = users(3 * CHUNK)
    await place.knows(names)
    later = [{"channel": "email"}, {"channel": "email", "after_s": 1.0}]
    bulk = (await place.send_many(titled(names), ladder=later))["id"]
    progress = await place.stores.bulks.progress(BulkId(bulk))
    assert progress is not None
    at_work = place.expansion()
    assert await at_work._step(progress)  # The first chunk has been reached...
    first = [await place.post("/v1/bulks/cancel", {"id": bulk}, status=200) for _ in range(2)]
    assert first[0] == first[1]
    assert (first[0]["cancelled"], first[0]["over"], first[0]["reached"]) == (True, True, CHUNK)
    assert (first[0]["counts"]["cancelled"], first[0]["counts"]["waiting"]) == (len(names), 0)
    assert await at_work._step(progress) is None  # ... and nobody goes on from there.
    async with place.working():
        async with asyncio.timeout(20):
            while sum((await place.stores.jobs.depth()).values()):  # noqa: ASYNC110 - Redis sets no event
                await asyncio.sleep(0.02)
    assert place.relay.outbox.total == 0
    assert await place.counts(bulk) == {"cancelled": len(names)}
    (item,) = (await place.stores.inbox.page(UserId(names[0]), cursor=None, limit=1)).items
    assert item.entry.title == f"For {names[0]}"
    assert await place.stores.bulks.claim(lease_ms=1) is None


async def test_what_a_cancelled_bulk_has_sent_stays_sent_and_its_ladders_end(place: Place) -> None:
    await place.knows(["ann", "bob"])
    ladder = [{"channel": "email"}, {"channel": "email", "after_s": 0.5}]
    bulk = (await place.send_many([{"user": "ann"}, {"user": "bob"}], ladder=ladder))["id"]
    async with place.working():
        await place.settled(bulk, sent=2)
        await place.post("/v1/bulks/cancel", {"id": bulk}, status=200)
        async with asyncio.timeout(20):
            while sum((await place.stores.jobs.depth()).values()):  # noqa: ASYNC110 - Redis sets no event
                await asyncio.sleep(0.02)
    assert place.relay.outbox.total == 2
    assert await place.counts(bulk) == {"sent": 2}
    (record,) = await place.stores.records.page(UserId("ann"), cursor=None, limit=1)
    assert [(each.outcome, each.detail) for each in record.attempts][1:] == [
        ("cancelled", "its bulk has been cancelled")
    ]


async def test_a_bulk_is_cancelled_while_workers_are_at_it(place: Place) -> None:
    names = users(20 * CHUNK)
    await place.knows(names)
    bulk = (await place.send_many(titled(names), ladder=BY_EMAIL))["id"]
    async with place.working():
        async with asyncio.timeout(20):
            while not place.relay.outbox.total:  # noqa: ASYNC110 - the relay sets no event
                await asyncio.sleep(0.01)
        await place.post("/v1/bulks/cancel", {"id": bulk}, status=200)
        async with asyncio.timeout(20):
            while sum((await place.stores.jobs.depth()).values()):  # noqa: ASYNC110 - Redis sets no event
                await asyncio.sleep(0.02)
    counts = await place.counts(bulk)
    assert counts["sent"] == place.relay.outbox.total
    assert counts == {"sent": counts["sent"], "cancelled": len(names) - counts["sent"]}


async def test_a_throttle_lets_so_many_of_a_key_through_over_several_bulks(place: Place) -> None:
    await place.knows(["ann", "bob"])
    throttle = {"count": 1, "per_s": 3_600, "key": "sale"}
    both, one = [{"user": "ann"}, {"user": "bob"}], [{"user": "ann"}]
    async with place.working():
        first = await place.send_many(one, ladder=BY_EMAIL, throttle=throttle)
        await place.settled(first["id"], sent=1)
        second = await place.send_many(both, ladder=BY_EMAIL, throttle=throttle)
        await place.settled(second["id"], sent=1, skipped=1)
    assert await recipients_of(place.relay) == ["ann@example.com", "bob@example.com"]


async def test_a_bulk_is_cancelled_before_its_time(place: Place) -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    bulk = (await place.send_many([{"user": "ann"}], send_at=at.isoformat()))["id"]
    assert (await place.post("/v1/bulks/cancel", {"id": bulk}, status=200))["reached"] == 0
    again = await place.post("/v1/bulks/retry", {"id": bulk}, status=400)
    assert [each["field"] for each in again["errors"]] == ["id"]


async def test_two_workers_at_once_reach_everybody_once(place: Place) -> None:
    names = users(6 * CHUNK)
    await place.knows(names)
    bulk = (await place.send_many(titled(names), ladder=BY_EMAIL))["id"]
    async with place.working(), asyncio.TaskGroup() as both:
        for _ in range(2):  # As if each had lost its lease to the others.
            both.create_task(place.expansion()._work_off(bulk, asyncio.Event()))
        await place.settled(bulk, sent=len(names))
    assert await recipients_of(place.relay) == [f"{name}@example.com" for name in names]
    assert (await place.get(f"/v1/bulks/{bulk}"))["accepted"] == len(names)


async def test_a_person_about_whom_nothing_can_be_read_is_told_and_keeps_nobody_waiting(place: Place) -> None:
    names = users(CHUNK)
    await place.knows(names)
    await place.breaks(place.stores.keys.document(Aggregate(AggregateKind.PERSON, UserId(names[7]))), "body")
    bulk = (await place.send_many(titled(names), ladder=BY_EMAIL))["id"]
    async with place.working():
        await place.settled(bulk, sent=CHUNK - 1, refused=1)
    assert await recipients_of(place.relay) == [f"{name}@example.com" for name in names if name != names[7]]


async def test_a_broken_bulk_holds_up_no_other(place: Place) -> None:
    await place.knows(["zoe"])
    broken = (await place.send_many([{"user": "zoe"}], ladder=BY_EMAIL))["id"]
    whole = (await place.send_many([{"user": "zoe"}], ladder=BY_EMAIL))["id"]
    await place.breaks(place.stores.keys.bulk(broken, "rows"), "0")
    count = BULKS_BROKEN._value.get()
    async with place.working():
        await place.settled(whole, sent=1)
        while BULKS_BROKEN._value.get() == count:  # noqa: ASYNC110 - a counter sets no event
            await asyncio.sleep(0.02)
    assert await place.counts(broken) == {"waiting": 1}
    assert (await place.get(f"/v1/bulks/{broken}"))["accepted"] == 1


async def test_ten_thousand_recipients_are_taken_in_one_call_while_others_have_their_turn(place: Place) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    # Encoding the request is the client's work, and as much as that of the server.
    body = msgspec.json.encode({**WISH, "recipients": titled(users(MAX_RECIPIENTS))})
    others = asyncio.create_task(take_turns())
    headers = {**AUTH, "Content-Type": "application/json"}
    async with place.client.post("/v1/bulks", headers=headers, data=body) as answer:
        taken = await answer.json()
    others.cancel()
    assert (taken["accepted"], taken["refused_count"]) == (MAX_RECIPIENTS, 0)
    assert turns >= 50


async def test_an_unknown_bulk_is_not_found(place: Place) -> None:
    await place.get(f"/v1/bulks/{'0' * 32}", status=404)
    await place.post("/v1/bulks/retry", {"id": "0" * 32}, status=404)
    await place.post("/v1/bulks/cancel", {"id": "0" * 32}, status=404)
    await place.post("/v1/bulks", {**WISH, "segment": "nobody"}, status=404)


async def test_segments_are_put_changed_shown_and_deleted(place: Place) -> None:
    names = users(1_200)
    assert await place.post("/v1/segments/put", {"name": "s", "users": names}, status=200) == {"members": 1_200}
    added = await place.post("/v1/segments/add", {"name": "s", "users": ["zoe", names[0], "zoe"]}, status=200)
    assert added == {"changed": 1, "members": 1_201}
    removed = await place.post("/v1/segments/remove", {"name": "s", "users": [*names[600:], "who"]}, status=200)
    assert removed == {"changed": 600, "members": 601}
    first = await place.get("/v1/segments/s?limit=600")
    rest = await place.get(f"/v1/segments/s?limit=600&after={first['next_after']}")
    assert (first["users"], rest["users"], rest["next_after"]) == (names[:600], ["zoe"], None)
    assert (await place.get("/v1/segments/s"))["users"] == []
    for known in (True, False):
        answer = await place.client.delete("/v1/segments/s", headers=AUTH)
        assert await answer.json() == {"deleted": known}
    await place.get("/v1/segments/s", status=404)
    for verb in ("add", "remove"):
        await place.post(f"/v1/segments/{verb}", {"name": "s", "users": ["zoe"]}, status=404)
