"""What comes of reports, on a real Redis: suppressions, counts and receipts."""

from collections.abc import AsyncIterator

import pytest

from hub.app import Stores, build_preference_centre, load_playbook, open_stores
from hub.domain.channels import EMAIL
from hub.domain.ids import NotificationId, UserId
from hub.domain.mail_reports import read_report
from hub.service.feedback.mail_marks import mark, return_path
from hub.service.feedback.mail_reports import SOFT_BOUNCES_MAX, Heed, MailReports
from hub.service.person.preferences import PreferenceCentre
from hub.service.signing import Signer
from hub.settings import Settings, Smtp
from hub.store.return_paths import Mailed
from hub.store.suppressions import address_digest
from tests.mail_reports import bounce, complaint

SIGNER = Signer("a secret that is known to nobody")
ZOE = UserId("zoe")
MAILBOX = "zoe@example.com"
ID = NotificationId("0123456789abcdef0123456789abcdef")
NOW_MS = 1_764_842_400_000


@pytest.fixture
async def stores(redis_url: str, key_prefix: str) -> AsyncIterator[Stores]:
    async with open_stores(Settings(key_prefix=key_prefix), redis_url) as opened:
        yield opened


@pytest.fixture
def reports(stores: Stores) -> MailReports:
    return heeding(stores, SIGNER)


def heeding(stores: Stores, signer: Signer | None) -> MailReports:
    return MailReports(
        signer=signer,
        records=stores.records,
        suppressions=stores.suppressions,
        paths=stores.return_paths,
        windows=stores.velocity,
        consents=centre(stores),
        clock=lambda: NOW_MS,
    )


def centre(stores: Stores) -> PreferenceCentre:
    settings = Settings(smtp=Smtp(url="smtp://127.0.0.1:1"))
    return build_preference_centre(settings, stores, load_playbook(settings))


def marked(notification: NotificationId = ID) -> str:
    return mark(SIGNER, notification, ZOE, address=MAILBOX, now_s=NOW_MS // 1_000)


async def is_suppressed(stores: Stores, address: str = MAILBOX) -> bool:
    return list(await stores.suppressions.find_many([(EMAIL, address)])) != [None]


async def status(stores: Stores, notification: NotificationId = ID) -> list[tuple[str, str]]:
    record = await stores.records.read(ZOE, notification)
    return [(each.status, each.detail) for each in record.receipts] if record else []


async def test_a_hard_bounce_of_a_mail_of_ours_suppresses_its_address(stores: Stores, reports: MailReports) -> None:
    assert await reports.take(read_report(bounce(mark=marked())), trusted=False) == [Heed.SUPPRESSED]
    assert await is_suppressed(stores)
    assert await status(stores) == [("bounced", "5.1.1")]


async def test_a_forged_bounce_suppresses_nobody(stores: Stores, reports: MailReports) -> None:
    other = mark(Signer("a secret of somebody else, long too"), ID, ZOE, address=MAILBOX, now_s=0)
    for forged in ("", other, "nonsense"):
        assert await reports.take(read_report(bounce(mark=forged)), trusted=False) == [Heed.UNKNOWN]
    assert await reports.take(read_report(complaint()), trusted=False) == [Heed.UNKNOWN]
    assert not await is_suppressed(stores)


async def test_a_mark_suppresses_its_own_address_whatever_else_a_report_names(
    stores: Stores, reports: MailReports
) -> None:
    await reports.take(read_report(bounce(mark=marked(), recipient="yan@example.com")), trusted=False)
    assert await is_suppressed(stores)
    assert not await is_suppressed(stores, "yan@example.com")


async def test_what_a_trusted_sender_says_needs_no_proof(stores: Stores, reports: MailReports) -> None:
    assert await reports.take(read_report(bounce()), trusted=True) == [Heed.SUPPRESSED]
    assert await is_suppressed(stores)


async def test_a_bounce_that_comes_back_to_its_own_address_is_known_by_it(stores: Stores, reports: MailReports) -> None:
    await stores.return_paths.note(ID, Mailed(ZOE, address_digest(MAILBOX)))
    path = return_path(SIGNER, "bounces@shop.example", ID)
    assert await reports.take(read_report(bounce()), trusted=False, sent_to=path) == [Heed.SUPPRESSED]
    assert await is_suppressed(stores)
    assert await status(stores) == [("bounced", "5.1.1")]


async def test_a_return_path_that_nobody_knows_any_more_proves_nothing(stores: Stores, reports: MailReports) -> None:
    path = return_path(SIGNER, "bounces@shop.example", ID)
    assert await reports.take(read_report(bounce()), trusted=False, sent_to=path) == [Heed.UNKNOWN]


async def test_soft_bounces_count_and_too_many_suppress_for_a_while(stores: Stores, reports: MailReports) -> None:
    heeds = []
    for number in range(SOFT_BOUNCES_MAX + 1):
        raw = bounce(mark=marked(NotificationId(f"n-{number}")), status="4.2.2")
        heeds += await reports.take(read_report(raw), trusted=False)
    assert heeds == [Heed.COUNTED] * SOFT_BOUNCES_MAX + [Heed.SUPPRESSED]
    (suppression,) = (await stores.suppressions.list()).suppressions
    assert suppression.reason == "bounced again and again: 4.2.2"
    assert suppression.until_ms is not None


async def test_the_same_soft_bounce_counts_once(stores: Stores, reports: MailReports) -> None:
    raw = bounce(mark=marked(), status="5.2.2")
    heeds = [await reports.take(read_report(raw), trusted=False) for _ in range(SOFT_BOUNCES_MAX + 2)]
    assert heeds == [[Heed.COUNTED]] * (SOFT_BOUNCES_MAX + 2)
    assert not await is_suppressed(stores)


async def test_soft_bounces_of_different_mails_count_without_a_mark(stores: Stores, reports: MailReports) -> None:
    heeds = []
    for number in range(SOFT_BOUNCES_MAX + 1):
        raw = bounce(notification=f"n-{number}", status="4.2.2")
        for _ in range(2):
            heeds += await reports.take(read_report(raw), trusted=True)
    assert heeds == [Heed.COUNTED] * 2 * SOFT_BOUNCES_MAX + [Heed.SUPPRESSED] * 2


async def test_a_delay_and_a_policy_say_nothing_against_an_address(stores: Stores, reports: MailReports) -> None:
    delayed = bounce(mark=marked(), action="delayed", status="4.4.1")
    assert await reports.take(read_report(delayed), trusted=False) == [Heed.NOTED]
    assert await status(stores) == [("delayed", "4.4.1")]
    refused = bounce(mark=marked(), status="5.7.1")
    assert await reports.take(read_report(refused), trusted=False) == [Heed.NOTED]
    assert await status(stores) == [("bounced", "5.7.1")]
    assert not await is_suppressed(stores)


async def test_a_complaint_suppresses_and_is_the_last_word(stores: Stores, reports: MailReports) -> None:
    assert await reports.take(read_report(complaint(mark=marked())), trusted=False) == [Heed.SUPPRESSED]
    await reports.take(read_report(bounce(mark=marked(), action="delivered", status="2.0.0")), trusted=False)
    assert await is_suppressed(stores)
    assert await status(stores) == [("complained", "abuse")]


async def test_a_complaint_takes_the_consent_to_marketing_back(stores: Stores, reports: MailReports) -> None:
    await centre(stores).record_consent(ZOE, EMAIL, granted=True, source="shop", now_ms=NOW_MS - 1)
    await reports.take(read_report(complaint(mark=marked())), trusted=False)
    word = (await centre(stores).of(ZOE)).consent[EMAIL]
    assert (word.granted, word.source) == (False, "complaint")


async def test_a_complaint_that_is_taken_back_suppresses_nobody(stores: Stores, reports: MailReports) -> None:
    taken_back = complaint(mark=marked(), kind="not-spam")
    assert await reports.take(read_report(taken_back), trusted=False) == [Heed.NOTED]
    assert not await is_suppressed(stores)


async def test_without_a_secret_only_trusted_senders_are_believed(stores: Stores) -> None:
    unsigned = heeding(stores, None)
    assert await unsigned.take(read_report(bounce(mark=marked())), trusted=False) == [Heed.UNKNOWN]
    assert await unsigned.take(read_report(bounce(mark=marked())), trusted=True) == [Heed.SUPPRESSED]
