"""What people prefer, enforced on the way: a real Redis, a delivery worker and a mail relay."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import pytest_asyncio

from channels.standins.mail_relay import MailRelay
from hub.domain.channels import EMAIL, PUSH, SMS
from hub.domain.events import Consent
from hub.domain.house_rules import Cap, HouseRules
from hub.domain.notifications import EntryState, Lane, Notification, Step, Throttle
from hub.domain.people import Person
from hub.domain.quiet_hours import QuietHours
from hub.store.clock import unix_ms
from hub.store.records import RecordedRuling
from hub.store.single import SingleServer
from tests.delivery_shop import MAILBOX, ZOE, Shop
from tests.mail_relay import mail_relay

__all__ = ["mail_relay"]

T = TypeVar("T")
DAY_MS = 86_400_000
YES = Consent(granted=True, at=datetime(2026, 1, 1, tzinfo=UTC), source="footer")


@pytest_asyncio.fixture
async def shop(redis_url: str, key_prefix: str, mail_relay: MailRelay) -> AsyncIterator[Shop]:
    server = SingleServer(redis_url)
    made = Shop(server, key_prefix, mail_relay)
    await made.knows(Person(ZOE, email=MAILBOX, time_zone="Europe/Berlin"))
    yield made
    await server.aclose()


async def prefers(shop: Shop, **fields: Any) -> None:
    before = await shop.preferences.read(ZOE)
    after = msgspec.structs.replace(before.preferences, **fields)
    await shop.preferences.put(ZOE, after, expected_version=before.version)


async def rulings(shop: Shop, notification: Notification) -> list[RecordedRuling]:
    record = await shop.records.read(ZOE, notification.id)
    return list(record.decisions) if record else []


async def first_of(
    noted: Callable[[Shop, Notification], Awaitable[Sequence[T]]], shop: Shop, notification: Notification
) -> Sequence[T]:
    """Wait until something is noted of a notification."""
    async with asyncio.timeout(20):
        while not (found := await noted(shop, notification)):  # noqa: ASYNC110 - Redis sets no event.
            await asyncio.sleep(0.02)
    return found


async def verdicts(shop: Shop, notification: Notification) -> list[tuple[str, str]]:
    return [(ruling.verdict, ruling.reason) for ruling in await rulings(shop, notification)]


def around_now(zone: Any = UTC) -> QuietHours:
    """Quiet hours that began an hour ago and end in an hour or two."""
    now = datetime.now(zone)
    return QuietHours(f"{now - timedelta(hours=1):%H:00}", f"{now + timedelta(hours=2):%H:00}")


async def test_what_is_switched_off_is_not_sent_and_the_record_says_why(shop: Shop) -> None:
    await prefers(shop, switches={"orders": {EMAIL: False}})
    notification = await shop.notifies()
    await shop.delivers()
    assert shop.relay.outbox.total == 0
    assert await verdicts(shop, notification) == [("drop", "the person has switched off orders by email")]
    assert await shop.outcomes(notification) == []


async def test_what_is_sent_says_why_it_was(shop: Shop) -> None:
    notification = await shop.notifies()
    await shop.delivers()
    assert shop.relay.outbox.total == 1
    assert await verdicts(shop, notification) == [("send", "orders by email is on")]


async def test_marketing_is_sent_with_consent_only(shop: Shop) -> None:
    without = await shop.notifies(lane=Lane.MARKETING)
    await shop.delivers()
    await prefers(shop, consent={EMAIL: (YES,)})
    with_it = await shop.notifies(lane=Lane.MARKETING)
    await shop.delivers()
    assert await verdicts(shop, without) == [("drop", "there is no consent to marketing by email")]
    assert await verdicts(shop, with_it) == [("send", "there is consent to marketing by email, from footer")]
    assert shop.relay.outbox.total == 1


async def test_quiet_hours_hold_a_job_until_they_end_without_claiming_it_again(shop: Shop) -> None:
    await prefers(shop, quiet_hours=around_now(), time_zone="UTC")
    notification = await shop.notifies(expires_ms=unix_ms() + DAY_MS)
    async with shop.working():
        held = await first_of(rulings, shop, notification)
        due_ms = await shop.next_due_ms(Lane.TRANSACTIONAL)
    assert [ruling.verdict for ruling in held] == ["hold"]
    assert due_ms == held[0].until_ms
    assert due_ms is not None
    assert 3_600_000 < due_ms - unix_ms() <= 2 * 3_600_000
    assert shop.relay.outbox.total == 0


async def test_a_held_job_is_claimed_as_if_for_the_first_time_when_its_time_has_come(shop: Shop) -> None:
    await prefers(shop, snoozed_until_ms=unix_ms() + 400)
    notification = await shop.notifies()
    await shop.delivers()
    assert [verdict for verdict, _ in await verdicts(shop, notification)] == ["hold", "send"]
    assert await shop.outcomes(notification) == ["delivered"]
    assert shop.relay.outbox.total == 1


async def test_what_is_seen_while_it_is_held_is_not_sent(shop: Shop) -> None:
    await prefers(shop, snoozed_until_ms=unix_ms() + 400)
    notification = await shop.notifies()
    async with shop.working():
        await first_of(rulings, shop, notification)
        await shop.inbox.mark(ZOE, [notification.id], EntryState.SEEN)
        await shop.is_quiet()
    assert shop.relay.outbox.total == 0
    assert await shop.outcomes(notification) == ["skipped"]


async def test_what_will_have_expired_when_quiet_hours_end_is_dropped(shop: Shop) -> None:
    await prefers(shop, quiet_hours=around_now(), time_zone="UTC")
    notification = await shop.notifies(expires_ms=unix_ms() + 60_000)
    await shop.delivers()
    ((verdict, reason),) = await verdicts(shop, notification)
    assert verdict == "drop"
    assert reason.endswith("it will have expired when that is over")


async def test_what_is_critical_is_sent_at_once_but_for_the_operators_stop(shop: Shop) -> None:
    await prefers(shop, quiet_hours=around_now(), time_zone="UTC", switches={"*": {EMAIL: False}})
    await shop.notifies(lane=Lane.CRITICAL)
    await shop.delivers()
    assert shop.relay.outbox.total == 1
    shop.house = HouseRules(stops={"orders": ("email",)})
    stopped = await shop.notifies(lane=Lane.CRITICAL)
    await shop.delivers()
    assert shop.relay.outbox.total == 1
    assert await verdicts(shop, stopped) == [("drop", "the operator has stopped orders by email")]


async def test_what_is_critical_does_not_go_to_a_suppressed_address(shop: Shop) -> None:
    await shop.suppressions.add(EMAIL, MAILBOX, reason="bounced")
    await shop.notifies(lane=Lane.CRITICAL)
    await shop.delivers()
    assert shop.relay.outbox.total == 0


async def test_marketing_beyond_the_cap_is_dropped(shop: Shop) -> None:
    shop.house = HouseRules(marketing_caps=(Cap(2, 3_600),))
    await prefers(shop, consent={EMAIL: (YES,)})
    sent = [await shop.notifies(lane=Lane.MARKETING) for _ in range(5)]
    await shop.delivers()
    assert shop.relay.outbox.total == 2
    told = [(await verdicts(shop, each))[0][0] for each in sent]
    assert sorted(told) == ["drop"] * 3 + ["send"] * 2
    await shop.notifies()
    await shop.delivers()
    assert shop.relay.outbox.total == 3


async def test_a_throttle_lets_so_many_of_a_key_through(shop: Shop) -> None:
    for key in ("a", "a", "a", "b"):
        await shop.notifies(throttle=Throttle(key, 1, 3_600))
        await shop.delivers()
    assert shop.relay.outbox.total == 2


async def test_a_person_has_messages_gather_that_would_go_alone_and_lets_others_go_alone(shop: Shop) -> None:
    await prefers(shop, digest_s={"prices": 3_600, "orders": 0})
    gathers = await shop.notifies(category="prices")
    alone = await shop.notifies(digest_s=3_600)
    async with shop.working():
        (gathered,) = await first_of(Shop.attempts, shop, gathers)
        (sent,) = await first_of(Shop.attempts, shop, alone)
        due_ms = await shop.next_due_ms(Lane.TRANSACTIONAL)
    assert (gathered.outcome, sent.outcome) == ("gathered", "delivered")
    assert due_ms is not None
    assert 3_500_000 < due_ms - unix_ms() <= 3_600_000
    assert shop.relay.outbox.total == 1


async def test_another_channel_waits_as_long_as_the_person_has_said(shop: Shop) -> None:
    await prefers(shop, wait_s={"*": 600})
    notification = await shop.notifies(ladder=(Step(EMAIL), Step(SMS, after_s=60.0)))
    async with shop.working():
        await first_of(Shop.attempts, shop, notification)
        due_ms = await shop.next_due_ms(Lane.TRANSACTIONAL)
    assert due_ms is not None
    assert 500_000 < due_ms - unix_ms() <= 600_000


async def test_the_channel_that_a_person_prefers_is_tried_first(shop: Shop) -> None:
    await prefers(shop, channel_order={"*": (EMAIL, PUSH)})
    notification = await shop.notifies(ladder=(Step(PUSH), Step(SMS, after_s=300.0), Step(EMAIL, after_s=600.0)))
    async with shop.working():
        await first_of(Shop.attempts, shop, notification)
        due_ms = await shop.next_due_ms(Lane.TRANSACTIONAL)
    assert shop.relay.outbox.total == 1
    assert due_ms is not None
    assert 200_000 < due_ms - unix_ms() <= 300_000
