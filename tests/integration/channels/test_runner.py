import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

import pytest
import pytest_asyncio

from channels.channel import Committing
from channels.standins.mail_relay import MailRelay
from channels.standins.script import Fault, Phase
from hub.app import build_mail_reports, build_preference_centre, load_playbook, open_stores
from hub.domain.channels import EMAIL, PUSH, SMS
from hub.domain.events import Consent
from hub.domain.ids import NotificationId, TemplateName, UserId
from hub.domain.mail_reports import read_report
from hub.domain.notifications import EntryState, InboxEntry, Lane, Notification, Step
from hub.domain.people import Person, tombstone
from hub.service.feedback.mail_reports import Heed
from hub.settings import Delivery, Settings
from hub.store.clock import unix_ms
from hub.store.single import SingleServer
from tests.delivery_shop import MAILBOX, SECRET, ZOE, Shop, until
from tests.mail_relay import mail_relay
from tests.mail_reports import bounce

__all__ = ["mail_relay"]


@pytest_asyncio.fixture
async def shop(redis_url: str, key_prefix: str, mail_relay: MailRelay) -> AsyncIterator[Shop]:
    server = SingleServer(redis_url)
    made = Shop(server, key_prefix, mail_relay)
    consent = {EMAIL: Consent(granted=True)}
    await made.knows(Person(ZOE, email=MAILBOX, name="Zoë", locale="de", time_zone="Europe/Berlin", consent=consent))
    yield made
    await server.aclose()


async def test_an_unseen_notification_goes_out_by_mail_in_the_persons_language(shop: Shop) -> None:
    notification = await shop.notifies(link="/orders/A-1")
    await shop.delivers()
    (mail,) = shop.relay.outbox.mails()
    message = mail.parsed()
    assert message["Subject"] == "Ihre Bestellung A-1 ist gepackt"
    assert message["Message-ID"] == f"<{notification.id}@doorbell.example>"
    assert message["To"] == MAILBOX
    plain = message.get_body(("plain",))
    assert plain is not None
    assert "https://shop.example/orders/A-1" in plain.get_content()
    assert await shop.outcomes(notification) == ["delivered"]


@pytest.mark.parametrize("state", [EntryState.SEEN, EntryState.READ, EntryState.ARCHIVED])
async def test_what_has_been_seen_is_not_mailed(shop: Shop, state: EntryState) -> None:
    notification = await shop.notifies()
    await shop.inbox.mark(ZOE, [notification.id], state)
    await shop.delivers()
    assert shop.relay.outbox.total == 0
    assert await shop.outcomes(notification) == ["skipped"]


async def test_what_has_expired_is_not_mailed(shop: Shop) -> None:
    await shop.notifies(expires_ms=unix_ms())
    await shop.delivers()
    assert shop.relay.outbox.total == 0


async def test_an_erased_person_gets_nothing(shop: Shop) -> None:
    await shop.notifies()
    await shop.knows(tombstone(ZOE))
    await shop.delivers()
    assert shop.relay.outbox.total == 0


async def test_what_is_cancelled_by_its_key_is_not_mailed_and_nothing_follows(shop: Shop) -> None:
    ladder = (Step(EMAIL, after_s=600.0), Step(EMAIL))
    notification = await shop.notifies(ladder=ladder, cancel_key="cart:7")
    assert await shop.jobs.cancellations.cancel(ZOE, "cart:7") == 1
    await shop.delivers()
    assert shop.relay.outbox.total == 0
    assert await shop.outcomes(notification) == ["cancelled"]


async def test_the_pending_step_of_an_older_one_of_its_collapse_key_is_not_sent(shop: Shop) -> None:
    older = await shop.notifies(collapse_key="eta:7")
    newer = await shop.notifies(collapse_key="eta:7")
    other = await shop.notifies(collapse_key="eta:8")
    await shop.delivers()
    assert [await shop.outcomes(each) for each in (older, newer, other)] == [["replaced"], ["delivered"], ["delivered"]]
    assert shop.relay.outbox.total == 2


@pytest.mark.parametrize("email", [None, "no mailbox", "zoe@example.com\r\nBcc: x@example.com", "zoë@example.com"])
async def test_a_person_without_a_mailbox_is_skipped(shop: Shop, email: str | None) -> None:
    notification = await shop.notifies(UserId("nobody"))
    await shop.knows(Person(UserId("nobody"), email=email))
    await shop.delivers()
    assert shop.relay.outbox.total == 0
    assert await shop.outcomes(notification) == ["skipped"]


async def test_a_step_over_a_channel_that_is_not_there_goes_to_the_next_at_once(shop: Shop) -> None:
    ladder = (Step(PUSH), Step(SMS, after_s=600.0), Step(EMAIL, after_s=600.0))
    notification = await shop.notifies(ladder=ladder)
    await shop.delivers()
    assert await shop.outcomes(notification) == ["skipped", "skipped", "delivered"]


async def test_the_next_step_waits_after_a_delivery_and_ends_when_it_is_seen(shop: Shop) -> None:
    notification = await shop.notifies(ladder=(Step(EMAIL), Step(EMAIL, after_s=0.5)))
    async with shop.working():
        await until(lambda: shop.relay.outbox.total > 0)
        await shop.inbox.mark(ZOE, [notification.id], EntryState.SEEN)
        await shop.is_quiet()
    assert shop.relay.outbox.total == 1
    assert await shop.outcomes(notification) == ["delivered", "skipped"]


@pytest.mark.parametrize("engagement", ["seen", "read", "clicked"])
async def test_a_ladder_ends_as_well_if_the_entry_has_left_the_inbox(shop: Shop, engagement: str) -> None:
    notification = await shop.notifies(ladder=(Step(EMAIL), Step(EMAIL, after_s=0.5)))
    others = [InboxEntry(NotificationId(f"other-{n}"), "t", "orders", "T", "B", unix_ms()) for n in range(50)]
    async with shop.working():
        await until(lambda: shop.relay.outbox.total > 0)
        await shop.inbox.add_many([(ZOE, entry) for entry in others])
        if engagement == "clicked":
            assert await shop.records.note_click(ZOE, notification.id, unix_ms())
        else:
            await shop.inbox.mark(ZOE, [notification.id], EntryState(engagement))
        await shop.is_quiet()
    assert shop.relay.outbox.total == 1
    assert await shop.outcomes(notification) == ["delivered", "skipped"]


async def test_a_refusal_for_now_is_tried_again(shop: Shop) -> None:
    shop.relay.faults.add(Fault(Phase.RCPT, "450 4.2.0 greylisted", times=2))
    await shop.notifies()
    await shop.delivers()
    assert shop.relay.outbox.total == 1


async def test_the_last_try_becomes_a_dead_letter_without_the_address(shop: Shop) -> None:
    shop.relay.faults.add(Fault(Phase.RCPT, f"450 4.2.0 {MAILBOX} greylisted", times=None))
    notification = await shop.notifies()
    await shop.delivers()
    (letter,) = (await shop.dead_letters.list()).letters
    assert letter.reason.startswith("tried 3 times, last: 450")
    assert MAILBOX not in letter.reason
    assert (await shop.outcomes(notification))[-1] == "buried"


async def test_a_bad_address_is_not_tried_again_nor_written_to_later(shop: Shop) -> None:
    shop.relay.faults.add(Fault(Phase.RCPT, "550 5.1.1 no such user", times=None))
    first = await shop.notifies()
    await shop.delivers()
    second = await shop.notifies()
    await shop.delivers()
    assert await shop.outcomes(first) == ["failed"]
    assert await shop.outcomes(second) == ["skipped"]
    assert shop.relay.recipients_refused == 1


async def test_a_refusal_by_policy_does_not_suppress_the_address(shop: Shop) -> None:
    shop.relay.faults.add(Fault(Phase.RCPT, "550 5.7.1 policy"))
    first = await shop.notifies()
    await shop.delivers()
    await shop.notifies()
    await shop.delivers()
    assert await shop.outcomes(first) == ["failed"]
    assert shop.relay.outbox.total == 1


async def test_an_unknown_outcome_is_sent_once_more_under_the_same_message_id(shop: Shop) -> None:
    shop.relay.faults.add(Fault(Phase.DOT, drop=True))
    notification = await shop.notifies()
    await shop.delivers()
    ids = {mail.parsed()["Message-ID"] for mail in shop.relay.outbox.mails()}
    assert (shop.relay.outbox.total, len(ids)) == (2, 1)
    assert await shop.outcomes(notification) == ["unknown", "delivered"]


async def test_two_unknown_outcomes_are_enough(shop: Shop) -> None:
    shop.relay.faults.add(Fault(Phase.DOT, drop=True, times=None))
    notification = await shop.notifies()
    await shop.delivers()
    assert shop.relay.outbox.total == 2
    assert await shop.outcomes(notification) == ["unknown", "unknown"]


async def test_a_template_that_does_not_render_is_put_aside(shop: Shop) -> None:
    await shop.notifies(template=TemplateName("no-such"))
    good = await shop.notifies()
    await shop.delivers()
    (letter,) = (await shop.dead_letters.list()).letters
    assert "no-such" in letter.reason
    assert await shop.outcomes(good) == ["delivered"]


async def test_a_relay_that_is_down_loses_nothing(shop: Shop) -> None:
    shop.relay.faults.add(Fault(Phase.BANNER, "421 4.3.2 closing", times=2))
    await shop.notifies()
    await shop.delivers()
    assert shop.relay.outbox.total == 1


async def test_what_cannot_be_read_about_one_person_holds_up_nobody_else(shop: Shop) -> None:
    await shop.has_unreadable_preferences(UserId("yan"))
    broken = await shop.notifies(UserId("yan"))
    whole = [await shop.notifies() for _ in range(5)]
    await shop.delivers()
    assert [await shop.outcomes(each) for each in whole] == [["delivered"]] * 5
    assert await shop.outcomes(broken) == ["buried"]
    (letter,) = (await shop.dead_letters.list()).letters
    assert (letter.id, letter.reason.split(":")[0]) == (f"{broken.id}:0", "tried 3 times, last")
    assert "DecodeError" in letter.reason


class Stuck:
    """A channel that hangs, before or after its point of no return."""

    name = EMAIL
    resends_unknown = True

    def __init__(self, *, commits: bool) -> None:
        self._commits = commits
        self.calls = 0

    async def addresses(self, people: Sequence[Person]) -> list[str | None]:
        return [person.email for person in people]

    def called(self, times: int) -> bool:
        return self.calls == times

    async def send(self, notification: Notification, person: Person, *, address: str, committing: Committing) -> str:
        self.calls += 1
        if self._commits:
            await committing()
        await asyncio.Event().wait()
        return ""


async def test_a_stopped_worker_gives_back_what_it_has_not_begun(shop: Shop) -> None:
    stuck = Stuck(commits=False)
    notification = await shop.notifies()
    async with shop.working(channels={EMAIL: stuck}, drain_s=0.1, settings=Delivery(lease_s=60.0)):
        await until(lambda: stuck.calls == 1)
    await shop.delivers()
    assert (await shop.outcomes(notification))[-1] == "delivered"


async def test_a_worker_that_died_in_the_call_leaves_one_more_call_to_another(shop: Shop) -> None:
    stuck = Stuck(commits=True)
    await shop.notifies()
    async with shop.working(channels={EMAIL: stuck}, drain_s=0.1, settings=Delivery(lease_s=0.5)):
        await until(lambda: stuck.calls == 1)
    await shop.delivers()
    assert shop.relay.outbox.total == 1


async def test_two_workers_that_died_in_the_call_are_enough(shop: Shop) -> None:
    stuck = Stuck(commits=True)
    notification = await shop.notifies()
    for wanted in (1, 2):
        async with shop.working(channels={EMAIL: stuck}, drain_s=0.1, settings=Delivery(lease_s=0.5)):
            await until(partial(stuck.called, wanted))
    await shop.delivers()
    assert shop.relay.outbox.total == 0
    assert await shop.outcomes(notification) == ["unknown"]


async def test_a_stuck_lane_does_not_hold_up_another(shop: Shop) -> None:
    shop.relay.faults.add(Fault(Phase.DATA, delay_s=3.0, times=None, recipient="slow"))
    slow = UserId("slow")
    await shop.knows(Person(slow, email="slow@example.com", consent={EMAIL: Consent(granted=True)}))
    for _ in range(20):
        await shop.notifies(slow, lane=Lane.MARKETING)
    async with shop.working():
        await until(lambda: shop.relay.sessions > 0)
        await shop.notifies(lane=Lane.CRITICAL)
        # Behind the others it would come after five rounds of a second each.
        await until(lambda: bool(shop.relay.outbox.mails(MAILBOX)), timeout_s=3.0)


async def test_many_mails_go_out_once_each_from_two_workers(shop: Shop) -> None:
    people = [UserId(f"u-{number}") for number in range(60)]
    for user in people:
        await shop.knows(Person(user, email=f"{user}@example.com"))
        await shop.notifies(user)
    async with shop.working(), shop.working():
        await shop.is_quiet()
    recipients = [mail.recipients[0] for mail in shop.relay.outbox.mails()]
    assert sorted(recipients) == sorted(f"{user}@example.com" for user in people)


async def test_a_mail_that_bounces_is_the_last_one_to_its_address(shop: Shop, redis_url: str, key_prefix: str) -> None:
    notification = await shop.notifies()
    await shop.delivers()
    (mail,) = shop.relay.outbox.mails()
    async with open_stores(Settings(key_prefix=key_prefix), redis_url) as stores:
        settings = Settings(signing_secret=SECRET)
        reports = build_mail_reports(
            settings, stores, build_preference_centre(settings, stores, load_playbook(settings))
        )
        raw = bounce(mark=mail.parsed()["X-Doorbell-Mail"])
        assert await reports.take(read_report(raw), trusted=False) == [Heed.SUPPRESSED]
    record = await shop.records.read(ZOE, notification.id)
    assert record is not None
    assert [(receipt.status, receipt.detail) for receipt in record.receipts] == [("bounced", "5.1.1")]
    following = await shop.notifies()
    await shop.delivers()
    assert await shop.outcomes(following) == ["skipped"]
    assert shop.relay.outbox.total == 1
