"""Bulks in Redis: taken in by one, worked off under a lease, gone on with after a crash at any place."""

import msgspec
import pytest
import pytest_asyncio

from hub.domain.bulks import Bulk, BulkId, BulkOutcome, Recipient
from hub.domain.ids import TemplateName, UserId
from hub.domain.notifications import Lane
from hub.store.bulk_cancellations import BulkCancellations
from hub.store.bulks import CHUNK, Bulks, Busy, Filling, Known
from hub.store.connection import pipelined
from hub.store.keys import Keys
from hub.store.scripts import Scripts
from hub.store.server import Server
from tests.integration.store.conftest import FakeClock

BULK = BulkId("b" * 32)
LEASE_MS = 1_000


class Desk:
    def __init__(self, server: Server, prefix: str) -> None:
        self.server = server
        self.keys = Keys(prefix)
        self.clock = FakeClock()
        self.bulks = Bulks(server, Scripts(server), self.keys, clock=self.clock)
        self.bulk = Bulk(
            id=BULK,
            by="service:shop",
            created_ms=self.clock.now_ms,
            category="marketing",
            lane=Lane.MARKETING,
            template=TemplateName("message"),
            expected=CHUNK + 1,
            chunks=2,
        )

    async def take(self) -> None:
        filling = await self.bulks.begin(BULK)
        assert isinstance(filling, Filling)
        people = [Recipient(UserId(f"u-{number}"), {"n": number}) for number in range(CHUNK + 1)]
        assert await self.bulks.write(BULK, 0, people) == 2
        assert await self.bulks.open(self.bulk, filling)

    async def claim(self) -> BulkId | None:
        return await self.bulks.claim(lease_ms=LEASE_MS)

    async def work_off(self) -> None:
        progress = await self.bulks.progress(BULK)
        assert progress is not None
        assert await self.bulks.advance(progress, None, people=CHUNK + 1)


@pytest_asyncio.fixture
async def desk(server: Server, key_prefix: str) -> Desk:
    return Desk(server, key_prefix)


async def test_a_bulk_is_known_and_claimed_when_it_is_open_and_not_before(desk: Desk) -> None:
    first, second = await desk.bulks.begin(BULK), await desk.bulks.begin(BULK)
    assert isinstance(first, Filling)
    assert second == Busy()
    assert (await desk.bulks.progress(BULK), await desk.claim()) == (None, None)
    assert not await desk.bulks.open(desk.bulk, Filling("somebody else's"))
    assert await desk.bulks.open(desk.bulk, first)
    assert await desk.bulks.begin(BULK) == Known(desk.bulk)
    assert await desk.claim() == BULK


async def test_recipients_are_kept_in_chunks(desk: Desk) -> None:
    await desk.take()
    first, second, third = [await desk.bulks.rows(BULK, chunk) for chunk in range(3)]
    assert (len(first), second, third) == (CHUNK, [Recipient(UserId("u-50"), {"n": 50})], [])


async def test_one_worker_has_it_until_the_lease_runs_out(desk: Desk) -> None:
    await desk.take()
    assert [await desk.claim(), await desk.claim()] == [BULK, None]
    desk.clock.now_ms += LEASE_MS - 1
    await desk.bulks.keep(BULK, lease_ms=LEASE_MS)
    desk.clock.now_ms += 1
    assert await desk.claim() is None
    desk.clock.now_ms += LEASE_MS
    assert await desk.claim() == BULK
    await desk.bulks.give_back(BULK)
    assert await desk.claim() == BULK


async def test_a_bulk_of_the_future_is_claimed_at_its_time(desk: Desk) -> None:
    desk.bulk = msgspec.structs.replace(desk.bulk, created_ms=desk.clock.now_ms + 500)
    await desk.take()
    assert await desk.claim() is None
    desk.clock.now_ms += 500
    assert await desk.claim() == BULK


async def test_only_who_knows_the_place_moves_it_on(desk: Desk) -> None:
    await desk.take()
    await desk.claim()
    at_first = await desk.bulks.progress(BULK)
    assert at_first is not None
    moved = await desk.bulks.advance(at_first, "1", people=CHUNK)
    assert moved is not None
    assert (moved.place, moved.people, moved.over) == ("1", CHUNK, False)
    assert await desk.bulks.advance(at_first, "1", people=CHUNK) == moved, "a repeat of the same step counts once"
    assert await desk.bulks.advance(at_first, None, people=CHUNK) is None
    done = await desk.bulks.advance(moved, None, people=1)
    assert done == await desk.bulks.progress(BULK)
    assert done is not None
    assert (done.people, done.over) == (CHUNK + 1, True)
    desk.clock.now_ms += 10 * LEASE_MS
    assert await desk.claim() is None


async def test_a_crash_between_opening_and_queueing_is_mended_by_the_repeat_of_the_request(desk: Desk) -> None:
    await desk.take()
    await desk.bulks.drop(BULK)
    assert await desk.bulks.begin(BULK) == Known(desk.bulk)
    assert await desk.claim() == BULK
    await desk.work_off()
    await desk.bulks.begin(BULK)
    desk.clock.now_ms += 10 * LEASE_MS
    assert await desk.claim() is None


async def test_another_round_begins_when_the_one_before_is_over_and_somebody_has_failed(desk: Desk) -> None:
    await desk.take()
    await desk.claim()
    assert await desk.bulks.again(BULK) is None
    await desk.work_off()
    assert await desk.bulks.again(BULK) == 0
    await desk.bulks.outcomes.note_many(BULK, {UserId("u-3"): BulkOutcome.FAILED})
    assert await desk.bulks.again(BULK) == 1
    progress = await desk.bulks.progress(BULK)
    assert progress is not None
    assert (progress.round_number, progress.place, progress.people) == (1, "", CHUNK + 1)
    assert await desk.claim() == BULK
    assert await desk.bulks.again(BULK) is None
    await desk.work_off()
    progress = await desk.bulks.progress(BULK)
    assert progress is not None
    assert progress.people == CHUNK + 1, "who is sent to again has been counted"


async def test_a_round_that_begins_while_the_one_before_leaves_the_queue_is_worked_off(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.take()
    await desk.claim()
    await desk.bulks.outcomes.note_many(BULK, {UserId("u-3"): BulkOutcome.FAILED})
    drop = desk.bulks.drop

    async def drop_late(bulk: BulkId) -> None:
        assert await desk.bulks.again(bulk) == 1
        await drop(bulk)

    monkeypatch.setattr(desk.bulks, "drop", drop_late)
    await desk.work_off()
    assert await desk.claim() == BULK


async def test_a_cancel_whose_second_half_a_crash_cut_off_is_finished_by_who_claims_it(desk: Desk) -> None:
    await desk.take()
    assert await BulkCancellations(desk.server, Scripts(desk.server), desk.keys).cancel(BULK, now_ms=5)
    assert await desk.claim() == BULK
    progress = await desk.bulks.progress(BULK)
    assert progress is not None
    assert (progress.over, progress.cancelled_ms) == (True, 5)
    assert await desk.bulks.cancel(BULK)
    assert await desk.claim() is None
    again = await desk.bulks.progress(BULK)
    assert again == progress


async def test_no_round_begins_after_a_cancel(desk: Desk) -> None:
    await desk.take()
    await desk.work_off()
    await desk.bulks.outcomes.note_many(BULK, {UserId("u-1"): BulkOutcome.FAILED})
    assert await desk.bulks.cancel(BULK)
    assert await desk.bulks.again(BULK) == 0
    progress = await desk.bulks.progress(BULK)
    assert progress is not None
    assert (progress.over, progress.round_number) == (True, 0)


async def test_a_cancel_is_remembered_for_longer_than_any_message_waits(desk: Desk) -> None:
    await desk.take()
    assert await desk.bulks.cancel(BULK)
    (ttl_s,) = await pipelined(desk.server, [("TTL", desk.keys.bulk(BULK, "cancelled"))], what="test")
    assert ttl_s > 120 * 86_400
    assert not await desk.bulks.cancel(BulkId("c" * 32))


async def test_everything_about_a_bulk_is_forgotten_after_a_while(desk: Desk) -> None:
    await desk.take()
    await desk.bulks.outcomes.note_many(BULK, {UserId("u-3"): BulkOutcome.SENT})
    parts = ("state", "rows", "outcomes", "counts")
    lifetimes = await pipelined(desk.server, [("TTL", desk.keys.bulk(BULK, part)) for part in parts], what="test")
    assert all(lifetime > 0 for lifetime in lifetimes)
