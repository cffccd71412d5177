"""Digests through a real store and a relay: one message for what gathered, and each notification told once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from channels.standins.mail_relay import MailRelay
from channels.standins.script import Fault, Phase
from hub.domain.channels import EMAIL
from hub.domain.digests import closing_job
from hub.domain.ids import NotificationId, TemplateName
from hub.domain.notifications import EntryState, Notification, Step
from hub.domain.people import Person, tombstone
from hub.store.clock import unix_ms
from hub.store.single import SingleServer
from tests.delivery_shop import MAILBOX, ZOE, Shop, until
from tests.mail_relay import mail_relay

__all__ = ["mail_relay"]

GONE = Fault(Phase.RCPT, "550 5.7.1 policy", times=None)


@pytest_asyncio.fixture
async def shop(redis_url: str, key_prefix: str, mail_relay: MailRelay) -> AsyncIterator[Shop]:
    server = SingleServer(redis_url)
    made = Shop(server, key_prefix, mail_relay)
    await made.knows(Person(ZOE, email=MAILBOX, name="Zoë", locale="en"))
    yield made
    await server.aclose()


async def gathers(shop: Shop, order: str, **changes: Any) -> Notification:
    return await shop.notifies(context={"order_id": order}, digest_s=1, **changes)


async def collects(shop: Shop, *notifications: Notification) -> None:
    """Move the first steps of notifications into their digests, as a worker would."""
    for about in notifications:
        for claimed in await shop.jobs.claim(lane=about.lane, now_ms=unix_ms(), lease_ms=60_000, limit=40):
            await shop.digests.gather(claimed, closing_job(claimed.job, now_ms=unix_ms()))


def mail_text(shop: Shop) -> tuple[str, str]:
    (mail,) = shop.relay.outbox.mails()
    plain = mail.parsed().get_body(("plain",))
    assert plain is not None
    return str(mail.parsed()["Subject"]), plain.get_content()


async def test_what_gathers_goes_out_as_one_mail_that_lists_each(shop: Shop) -> None:
    first, second = await gathers(shop, "A-1"), await gathers(shop, "A-2", link="/orders/A-2")
    await shop.delivers()
    subject, text = mail_text(shop)
    assert subject.startswith("2 updates: ")
    assert text.count(" A-1") == 1
    assert "https://shop.example/orders/A-2" in text
    for each in (first, second):
        attempts = await shop.attempts(each)
        assert [attempt.outcome for attempt in attempts] == ["gathered", "delivered"]
        assert attempts[1].detail.startswith("in digest ")
    digest = NotificationId((await shop.attempts(first))[1].detail.removeprefix("in digest "))
    assert await shop.records.user_of(digest) == ZOE
    own = await shop.records.read(ZOE, digest)
    assert own is not None
    assert [attempt.outcome for attempt in own.attempts] == ["delivered"]


async def test_the_mail_is_in_the_persons_language(shop: Shop) -> None:
    await shop.knows(Person(ZOE, email=MAILBOX, locale="de"))
    await gathers(shop, "A-1")
    await gathers(shop, "A-2")
    await shop.delivers()
    subject, text = mail_text(shop)
    assert subject.startswith("2 neue Nachrichten: ")
    assert "gepackt" in text


async def test_a_single_one_goes_out_in_its_own_words(shop: Shop) -> None:
    alone = await gathers(shop, "A-1")
    await shop.delivers()
    (mail,) = shop.relay.outbox.mails()
    assert mail.parsed()["Subject"] == "Your order A-1 is packed"
    assert mail.parsed()["Message-ID"] == f"<{alone.id}@doorbell.example>"
    assert await shop.outcomes(alone) == ["gathered", "delivered"]


async def test_what_has_been_seen_expired_or_called_off_meanwhile_is_left_out(shop: Shop) -> None:
    kept = [await gathers(shop, "K-1"), await gathers(shop, "K-2")]
    seen = await gathers(shop, "S-1")
    off = await gathers(shop, "C-1", cancel_key="cart")
    expired = await gathers(shop, "E-1", expires_ms=unix_ms() + 1_500)
    await collects(shop, kept[0])
    await shop.inbox.mark(ZOE, [seen.id], EntryState.SEEN)
    await shop.jobs.cancellations.cancel(ZOE, "cart")
    await until(lambda: unix_ms() >= (expired.expires_ms or 0))
    await shop.delivers()
    subject, text = mail_text(shop)
    assert subject.startswith("2 updates")
    assert all(name in text for name in ("K-1", "K-2"))
    assert not any(name in text for name in ("S-1", "C-1", "E-1"))
    outcomes = [(await shop.outcomes(each))[-1] for each in (*kept, seen, off, expired)]
    assert outcomes == ["delivered", "delivered", "skipped", "cancelled", "skipped"]


async def test_where_nothing_is_left_nothing_is_sent(shop: Shop) -> None:
    notification = await gathers(shop, "A-1")
    await collects(shop, notification)
    await shop.inbox.mark(ZOE, [notification.id], EntryState.READ)
    await shop.delivers()
    assert shop.relay.outbox.total == 0
    assert (await shop.outcomes(notification))[-1] == "skipped"


async def test_a_person_erased_meanwhile_gets_nothing(shop: Shop) -> None:
    notification = await gathers(shop, "A-1")
    await collects(shop, notification)
    await shop.knows(tombstone(ZOE))
    await shop.delivers()
    assert shop.relay.outbox.total == 0
    assert (await shop.outcomes(notification))[-1] == "skipped"


async def test_each_ladder_goes_on_after_the_message(shop: Shop) -> None:
    ladder = (Step(EMAIL), Step(EMAIL, after_s=0.2))
    notifications = [await gathers(shop, name, ladder=ladder) for name in ("A-1", "A-2")]
    await shop.delivers()
    assert [str(mail.parsed()["Subject"])[:9] for mail in shop.relay.outbox.mails()] == ["2 updates", "2 updates"]
    for each in notifications:
        assert await shop.outcomes(each) == ["gathered", "delivered", "gathered", "delivered"]


async def test_a_message_that_fails_for_good_sends_each_ladder_on_at_once(shop: Shop) -> None:
    shop.relay.faults.add(GONE)
    ladder = (Step(EMAIL), Step(EMAIL, after_s=600.0))
    notifications = [await gathers(shop, name, ladder=ladder) for name in ("A-1", "A-2")]
    await shop.delivers()
    for each in notifications:
        assert await shop.outcomes(each) == ["gathered", "failed", "gathered", "failed"]


async def test_a_worker_that_died_after_closing_leaves_the_same_message_to_another(shop: Shop) -> None:
    notifications = [await gathers(shop, name) for name in ("A-1", "A-2")]
    await collects(shop, notifications[0])
    lane = notifications[0].lane
    (closing,) = await shop.jobs.claim(lane=lane, now_ms=unix_ms() + 2_000, lease_ms=1, limit=8)
    await shop.digests.take(closing)
    late = await gathers(shop, "A-3")
    await shop.delivers()
    subjects = sorted(str(mail.parsed()["Subject"]) for mail in shop.relay.outbox.mails())
    assert subjects[0].startswith("2 updates: ")
    assert subjects[1] == "Your order A-3 is packed"
    for each in (*notifications, late):
        assert (await shop.outcomes(each))[-1] == "delivered"


async def test_a_text_that_does_not_render_costs_the_others_nothing(shop: Shop) -> None:
    good = [await gathers(shop, name) for name in ("A-1", "A-2")]
    bad = await gathers(shop, "A-3", template=TemplateName("no-such"))
    await shop.delivers()
    assert mail_text(shop)[0].startswith("2 updates")
    assert (await shop.outcomes(bad))[-1] == "failed"
    assert (await shop.outcomes(good[0]))[-1] == "delivered"


async def test_a_long_list_is_cut_and_counted(shop: Shop) -> None:
    for number in range(23):
        await gathers(shop, f"A-{number}")
    await shop.delivers()
    subject, text = mail_text(shop)
    assert subject.startswith("23 updates")
    assert "and 3 more" in text
