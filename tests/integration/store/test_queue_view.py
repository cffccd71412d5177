"""How long the queue is, by lane, over all its shards."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from hub.app import Stores, open_stores
from hub.domain.channels import EMAIL, PUSH
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Job, Lane, Notification, Step, job_id
from hub.settings import Settings
from hub.store.delivery_workers import DeliveryWorkerFacts
from hub.store.queue_view import LaneView

NOW_MS = 1_000_000


@pytest.fixture
async def stores(redis_url: str, key_prefix: str) -> AsyncIterator[Stores]:
    async with open_stores(Settings(key_prefix=key_prefix), redis_url) as opened:
        yield opened


def job(user: str, *, lane: Lane, due_ms: int) -> Job:
    notification = Notification(
        id=NotificationId(f"n-{user}-{due_ms}"),
        user=UserId(user),
        rule=RuleName("r"),
        event_type="order.packed",
        category="orders",
        lane=lane,
        template=TemplateName("order-packed"),
        context={},
        created_ms=0,
        ladder=(Step(EMAIL),),
    )
    return Job(id=job_id(notification.id, 0), step=0, notification=notification, due_ms=due_ms)


async def test_jobs_are_told_by_lane_whether_they_wait_are_due_or_in_hand(stores: Stores) -> None:
    people = [f"u{number}" for number in range(20)]
    await stores.jobs.schedule_many([job(user, lane=Lane.CRITICAL, due_ms=NOW_MS + 1) for user in people])
    await stores.jobs.schedule_many([job(user, lane=Lane.CRITICAL, due_ms=NOW_MS - 700) for user in people])
    await stores.jobs.schedule_many([job("late", lane=Lane.CRITICAL, due_ms=NOW_MS - 900)])
    await stores.jobs.schedule_many([job("one", lane=Lane.MARKETING, due_ms=0)])
    assert len(await stores.jobs.claim(lane=Lane.MARKETING, now_ms=NOW_MS, lease_ms=5_000, limit=8)) == 1
    lanes = {view.lane: view for view in await stores.queue_view.lanes(NOW_MS)}
    assert lanes[Lane.CRITICAL] == LaneView(Lane.CRITICAL, 20, 21, 0, NOW_MS - 900)
    assert lanes[Lane.MARKETING] == LaneView(Lane.MARKETING, 0, 0, 1, None)
    assert list(lanes) == list(Lane)


async def test_a_delivery_worker_is_known_until_it_leaves(stores: Stores) -> None:
    facts = DeliveryWorkerFacts(uid="b", name="host:1", version="1", started_ms=5, channels=(EMAIL, PUSH))
    await stores.delivery_workers.beat(facts)
    await stores.delivery_workers.beat(replace(facts, uid="a"))
    assert [each.uid for each in await stores.delivery_workers.alive()] == ["a", "b"]
    await stores.delivery_workers.leave("a")
    assert await stores.delivery_workers.alive() == [facts]
