"""No way in delivers promotion to who has not consented to it, or has taken that back meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from channels.standins.mail_relay import MailRelay
from hub.domain.channels import EMAIL
from hub.domain.events import Consent
from hub.domain.notifications import Job, Lane, Step, job_id
from hub.domain.people import Person
from hub.domain.preferences import Preferences
from hub.service.intake.letters import Letters
from hub.store.clock import unix_ms
from hub.store.dead_letters import DeadLetter
from hub.store.single import SingleServer
from tests.delivery_shop import MAILBOX, ZOE, Shop
from tests.mail_relay import mail_relay

__all__ = ["mail_relay"]

PROMOTION: dict[str, Any] = {"category": "marketing", "lane": Lane.MARKETING}
YES, NO = Consent(granted=True, at=datetime(2026, 1, 1, tzinfo=UTC)), Consent(granted=False)


@pytest_asyncio.fixture
async def shop(redis_url: str, key_prefix: str, mail_relay: MailRelay) -> AsyncIterator[Shop]:
    server = SingleServer(redis_url)
    yield Shop(server, key_prefix, mail_relay)
    await server.aclose()


async def at_once(shop: Shop) -> None:
    await shop.notifies(**PROMOTION)


async def on_a_later_step(shop: Shop) -> None:
    await shop.notifies(**PROMOTION, ladder=(Step(EMAIL), Step(EMAIL)))


async def ahead_of_its_time(shop: Shop) -> None:
    await shop.effects.postpone([shop.notification(**PROMOTION, created_ms=unix_ms() + 100)])


async def in_a_digest(shop: Shop) -> None:
    for _ in range(2):
        await shop.notifies(**PROMOTION, digest_s=1)


async def replacing_another(shop: Shop) -> None:
    for _ in range(2):
        await shop.notifies(**PROMOTION, collapse_key="sale")


async def by_another_lane(shop: Shop) -> None:
    for lane in Lane:
        await shop.notifies(category="marketing", lane=lane)


async def from_the_dead_letters(shop: Shop) -> None:
    about = shop.notification(**PROMOTION)
    job = Job(job_id(about.id, 0), 0, about, unix_ms())
    letter = DeadLetter(job.id, "job marketing/0", "tried 3 times", "", msgspec.json.encode(job), unix_ms())
    nothing: Any = None
    letters = Letters(dead_letters=shop.dead_letters, ingest=nothing, jobs=shop.jobs)
    assert await letters.retry(letter, now_ms=unix_ms()) == "scheduled"


async def in_another_round_of_its_bulk(shop: Shop) -> None:
    about = shop.notification(**PROMOTION, bulk="b" * 32)
    await shop.jobs.climb_again([Job(job_id(about.id, 0), 0, about, unix_ms())])


WAYS = (
    at_once,
    on_a_later_step,
    ahead_of_its_time,
    in_a_digest,
    replacing_another,
    by_another_lane,
    from_the_dead_letters,
    in_another_round_of_its_bulk,
)
WORDS = {
    "nothing said": (None, Preferences()),
    "refused in the shop": (NO, Preferences()),
    "taken back here": (YES, Preferences(consent={EMAIL: (Consent(granted=False, at=datetime.now(UTC)),)})),
    "switched off": (YES, Preferences(switches={"marketing": {EMAIL: False}})),
    "everything off": (YES, Preferences(switches={"*": {EMAIL: False}})),
}


@pytest.mark.parametrize("way", WAYS)
async def test_promotion_does_not_reach_who_does_not_want_it(
    shop: Shop, way: Callable[[Shop], Awaitable[None]]
) -> None:
    for told, own in WORDS.values():
        await shop.knows(Person(ZOE, email=MAILBOX, locale="en", consent={} if told is None else {EMAIL: told}))
        await shop.preferences.put(ZOE, own, expected_version=(await shop.preferences.read(ZOE)).version)
        await way(shop)
        await shop.delivers()
    assert shop.relay.outbox.mails() == []


@pytest.mark.parametrize("way", WAYS)
async def test_promotion_does_not_reach_an_address_that_is_suppressed(
    shop: Shop, way: Callable[[Shop], Awaitable[None]]
) -> None:
    await shop.knows(Person(ZOE, email=MAILBOX, locale="en", consent={EMAIL: YES}))
    await shop.suppressions.add(EMAIL, MAILBOX, reason="complaint")
    await way(shop)
    await shop.delivers()
    assert shop.relay.outbox.mails() == []


@pytest.mark.parametrize("way", WAYS)
async def test_promotion_reaches_who_wants_it(shop: Shop, way: Callable[[Shop], Awaitable[None]]) -> None:
    await shop.knows(Person(ZOE, email=MAILBOX, locale="en", consent={EMAIL: YES}))
    await way(shop)
    await shop.delivers()
    assert shop.relay.outbox.mails() != []
