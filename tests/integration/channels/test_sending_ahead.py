"""Notifications that are sent ahead of their time: they appear then, once, unless something has come between."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from channels.standins.mail_relay import MailRelay
from hub.domain.channels import EMAIL
from hub.domain.ids import NotificationId, TemplateName
from hub.domain.notifications import InboxEntry, Notification, Step
from hub.domain.people import Person, tombstone
from hub.service.sending.notifications import Sending
from hub.store.clock import unix_ms
from hub.store.single import SingleServer
from tests.delivery_shop import MAILBOX, ZOE, Shop
from tests.mail_relay import mail_relay

__all__ = ["mail_relay"]

SOON_MS = 300


@pytest_asyncio.fixture
async def shop(redis_url: str, key_prefix: str, mail_relay: MailRelay) -> AsyncIterator[Shop]:
    server = SingleServer(redis_url)
    made = Shop(server, key_prefix, mail_relay)
    await made.knows(Person(ZOE, email=MAILBOX, name="Zoë", locale="en"))
    yield made
    await server.aclose()


async def ahead(shop: Shop, **changes: Any) -> Notification:
    notification = shop.notification(**{"created_ms": unix_ms() + SOON_MS, **changes})
    assert await shop.effects.postpone([notification]) == [Sending.SCHEDULED]
    return notification


async def entries(shop: Shop) -> list[InboxEntry]:
    page = await shop.inbox.page(ZOE, cursor=None, limit=10)
    return [item.entry for item in page.items]


async def test_it_appears_at_its_time_and_its_ladder_begins_then(shop: Shop) -> None:
    notification = await ahead(shop)
    assert await entries(shop) == []
    await shop.delivers()
    (entry,) = await entries(shop)
    assert entry.id == notification.id
    assert entry.created_ms >= notification.created_ms
    assert [(each.channel, each.outcome) for each in await shop.attempts(notification)] == [
        ("inbox", "delivered"),
        ("email", "delivered"),
    ]
    assert shop.relay.outbox.total == 1


async def test_the_inbox_may_be_all(shop: Shop) -> None:
    await ahead(shop, ladder=())
    await shop.delivers()
    assert len(await entries(shop)) == 1
    assert shop.relay.outbox.total == 0


async def test_the_same_notification_is_scheduled_once_and_appears_once(shop: Shop) -> None:
    notification = await ahead(shop)
    assert await shop.effects.postpone([notification]) == [Sending.DUPLICATE]
    await shop.delivers()
    assert await shop.effects.postpone([notification]) == [Sending.DUPLICATE]
    await shop.delivers()
    assert len(await entries(shop)) == 1


async def test_what_is_cancelled_never_appears(shop: Shop) -> None:
    notification = await ahead(shop, created_ms=unix_ms() + 10**9, cancel_key="cart:7")
    assert await shop.jobs.cancellations.cancel(ZOE, "cart:7") == 1
    await shop.delivers()
    assert await entries(shop) == []
    assert await shop.outcomes(notification) == ["cancelled"]


async def test_a_cancel_after_it_has_appeared_stops_its_ladder(shop: Shop) -> None:
    notification = await ahead(shop, cancel_key="cart:7", ladder=(Step(EMAIL, after_s=600.0),))
    async with shop.working(), asyncio.timeout(20):
        while not await entries(shop):  # noqa: ASYNC110 - Redis sets no event.
            await asyncio.sleep(0.02)
    await shop.jobs.cancellations.cancel(ZOE, "cart:7")
    await shop.delivers()
    assert shop.relay.outbox.total == 0
    assert await shop.outcomes(notification) == ["delivered", "cancelled"]


async def test_a_later_one_of_its_collapse_key_replaces_it_before_it_appears(shop: Shop) -> None:
    first = await ahead(shop, collapse_key="visit:7")
    second = await ahead(shop, collapse_key="visit:7")
    assert await shop.effects.postpone([first]) == [Sending.DUPLICATE]
    await shop.delivers()
    assert [entry.id for entry in await entries(shop)] == [second.id]
    assert await shop.outcomes(first) == ["replaced"]


async def test_one_that_comes_at_once_replaces_the_one_that_waits(shop: Shop) -> None:
    waiting = await ahead(shop, collapse_key="visit:7")
    at_once = await shop.notifies(collapse_key="visit:7")
    await shop.delivers()
    assert [entry.id for entry in await entries(shop)] == [at_once.id]
    assert await shop.outcomes(waiting) == ["replaced"]


async def test_what_has_expired_before_it_appears_is_left_out(shop: Shop) -> None:
    notification = await ahead(shop, expires_ms=unix_ms())
    await shop.delivers()
    assert await entries(shop) == []
    assert await shop.outcomes(notification) == ["skipped"]


async def test_somebody_who_was_erased_meanwhile_gets_nothing(shop: Shop) -> None:
    await ahead(shop)
    await shop.knows(tombstone(ZOE))
    await shop.delivers()
    assert await entries(shop) == []
    assert shop.relay.outbox.total == 0


async def test_somebody_who_is_erased_already_is_told_to_the_sender(shop: Shop) -> None:
    await shop.knows(tombstone(ZOE))
    assert await shop.effects.postpone([shop.notification()]) == [Sending.DROPPED]


async def test_a_worker_that_died_while_it_appeared_leaves_it_to_another(shop: Shop) -> None:
    notification = await ahead(shop)
    (claimed,) = await shop.jobs.claim(
        lane=notification.lane, now_ms=notification.created_ms, lease_ms=SOON_MS, limit=8
    )
    assert await shop.jobs.begin(claimed)
    await shop.effects.notify([notification])
    await shop.delivers()
    assert len(await entries(shop)) == 1
    assert (await shop.outcomes(notification))[-1] == "delivered"
    assert shop.relay.outbox.total == 1


async def test_a_text_that_no_longer_renders_is_put_aside(shop: Shop) -> None:
    notification = shop.notification(template=TemplateName("no-such"), id=NotificationId("odd"))
    with pytest.raises(Exception, match="no-such"):
        await shop.effects.postpone([notification])
    assert sum((await shop.jobs.depth()).values()) == 0
