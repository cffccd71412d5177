"""Dead letters tried again: what works now is dropped, what does not stays."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hub.app import Stores, build_ingest_alone, open_stores
from hub.domain.decisions import Outcome
from hub.domain.envelope import Incoming, Origin, Rejected, Source
from hub.domain.errors import InputError
from hub.domain.notifications import Job, Lane
from hub.service.intake.ingest import Ingest
from hub.service.intake.letters import Letters
from hub.settings import Settings
from hub.store.dead_letters import DeadLetter
from hub.store.jobs import Claimed
from tests.shop import NOON_MS, encoded, event, order_placed, order_placed_data

ORIGIN = Origin(Source.KAFKA, "orders/0/7")


@pytest.fixture
async def stores(redis_url: str, key_prefix: str) -> AsyncIterator[Stores]:
    async with open_stores(Settings(key_prefix=key_prefix), redis_url) as opened:
        yield opened


@pytest.fixture
def ingest(stores: Stores) -> Ingest:
    return build_ingest_alone(Settings(), stores)


@pytest.fixture
def letters(stores: Stores, ingest: Ingest) -> Letters:
    return Letters(dead_letters=stores.dead_letters, ingest=ingest, jobs=stores.jobs)


async def only_letter(stores: Stores) -> DeadLetter:
    (letter,) = (await stores.dead_letters.list()).letters
    return letter


async def test_a_contradiction_that_was_resolved_goes_through(stores: Stores, ingest: Ingest, letters: Letters) -> None:
    early = event("order.packed", order_id="A-1")
    body = encoded("order.packed", {"order_id": "A-1"})
    await ingest.reject([Rejected(ORIGIN, "order A-1 did not appear", "", body)])
    await ingest.process([Incoming(order_placed(), ORIGIN)])
    assert await letters.retry(await only_letter(stores), now_ms=early.time_ms) == Outcome.APPLIED
    assert await stores.dead_letters.count() == 0


async def test_an_event_in_binary_mode_is_tried_again_with_its_attributes(
    stores: Stores, ingest: Ingest, letters: Letters
) -> None:
    attributes = {"specversion": "1.0", "id": "e-9", "source": "/shop", "type": "user.erased"}
    await ingest.reject([Rejected(ORIGIN, "a defect", "", b'{"user_id":"mia"}', attributes=attributes)])
    assert await letters.retry(await only_letter(stores), now_ms=NOON_MS) == Outcome.APPLIED


async def test_what_still_cannot_be_read_stays(stores: Stores, ingest: Ingest, letters: Letters) -> None:
    await ingest.reject([Rejected(ORIGIN, "not JSON", "body", b"{")])
    with pytest.raises(InputError, match="body"):
        await letters.retry(await only_letter(stores), now_ms=NOON_MS)
    assert await stores.dead_letters.count() == 1


async def test_what_still_contradicts_stays(stores: Stores, ingest: Ingest, letters: Letters) -> None:
    await ingest.process([Incoming(order_placed(), ORIGIN)])
    stolen = encoded("order.cancelled", {**order_placed_data(), "customer_id": "eve", "reason": "x"})
    await ingest.reject([Rejected(ORIGIN, "contradicts", "", stolen)])
    with pytest.raises(InputError, match="contradicts"):
        await letters.retry(await only_letter(stores), now_ms=NOON_MS)
    assert await stores.dead_letters.count() == 1


async def test_a_job_that_fails_again_before_its_letter_is_dropped_is_not_lost(
    stores: Stores, ingest: Ingest, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def claim() -> Claimed:
        (claimed,) = await stores.jobs.claim(lane=Lane.TRANSACTIONAL, now_ms=NOON_MS * 2, lease_ms=10_000, limit=8)
        return claimed

    schedule_again = stores.jobs.schedule_again

    async def schedule_for_a_quick_worker(job: Job) -> bool:
        scheduled = await schedule_again(job)
        await stores.jobs.bury(await claim(), "refused again")
        return scheduled

    await ingest.process([Incoming(order_placed(), ORIGIN)])
    await stores.jobs.bury(await claim(), "the relay refused it")
    monkeypatch.setattr(stores.jobs, "schedule_again", schedule_for_a_quick_worker)
    assert await letters.retry(await only_letter(stores), now_ms=NOON_MS) == "scheduled"
    assert (await only_letter(stores)).reason == "refused again"


async def test_a_buried_job_is_due_again(stores: Stores, ingest: Ingest, letters: Letters) -> None:
    await ingest.process([Incoming(order_placed(), ORIGIN)])
    (claimed,) = await stores.jobs.claim(lane=Lane.TRANSACTIONAL, now_ms=NOON_MS * 2, lease_ms=10_000, limit=8)
    await stores.jobs.bury(claimed, "the relay refused it")
    assert await letters.retry(await only_letter(stores), now_ms=NOON_MS) == "scheduled"
    assert (await stores.jobs.depth())[Lane.TRANSACTIONAL] == 1
