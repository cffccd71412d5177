"""What the record of a notification keeps."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hub.domain.channels import EMAIL, PUSH, SMS
from hub.domain.errors import InputError
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import InboxEntry, Job
from hub.store.erasure import Erasure
from hub.store.inbox import Inbox
from hub.store.keys import Keys
from hub.store.records import FEED_SIZE, RECORD_TTL_S, Attempt, Record, RecordedRuling, Records, about
from hub.store.scripts import Scripts

MakeJob = Callable[..., Job]
MakeEntry = Callable[..., InboxEntry]
ADA = UserId("ada")


async def page(records: Records, user: UserId, *, after: str | None = None, limit: int = 10) -> list[Record]:
    return await records.page(user, cursor=NotificationId(after) if after else None, limit=limit)


async def test_rulings_stand_in_the_record_in_the_order_of_time(records: Records, make_job: MakeJob) -> None:
    told = make_job("n1").notification
    later = RecordedRuling(2_000, 1, 0, EMAIL, "drop", "no consent to marketing")
    first = RecordedRuling(1_000, 0, 0, PUSH, "hold", "quiet hours", until_ms=9_000)
    await records.note_ruling(told, later)
    await records.note_ruling(told, first)
    record = await records.read(told.user, told.id)
    assert record is not None
    assert record.decisions == (first, later)


async def test_a_ruling_noted_again_replaces_itself(records: Records, make_job: MakeJob) -> None:
    told = make_job("n1").notification
    await records.note_ruling(told, RecordedRuling(1_000, 0, 0, PUSH, "hold", "quiet hours"))
    await records.note_ruling(told, RecordedRuling(1_000, 0, 0, PUSH, "hold", "quiet hours"))
    await records.note_ruling(told, RecordedRuling(1_500, 0, 0, PUSH, "send"))
    await records.record_attempt(told, Attempt(1_600, 0, 0, PUSH, "delivered", "fcm-1"))
    record = await records.read(told.user, told.id)
    assert record is not None
    assert [(ruling.at_ms, ruling.verdict) for ruling in record.decisions] == [(1_000, "hold"), (1_500, "send")]
    assert [attempt.outcome for attempt in record.attempts] == ["delivered"]


async def test_a_record_begins_with_the_entry_and_is_found_by_its_id(
    inbox: Inbox, records: Records, scripts: Scripts, make_entry: MakeEntry, make_job: MakeJob
) -> None:
    told = make_job("n1").notification
    entry = make_entry("n1")
    await scripts.run_mixed([*inbox.adding([(told.user, entry)], [about(told)]), *records.owning([told])])
    user = await records.user_of(told.id)
    assert user == told.user
    record = await records.read(user, told.id)
    assert record is not None
    assert record.about == about(told)
    assert record.about.ladder == ((EMAIL, 0.0), (SMS, 0.0))
    assert await records.user_of(NotificationId("n2")) is None


async def test_a_duplicate_does_not_begin_its_record_again(
    inbox: Inbox, records: Records, make_entry: MakeEntry, make_job: MakeJob, scripts: Scripts
) -> None:
    told = make_job("n1").notification
    await scripts.run_mixed(inbox.adding([(told.user, make_entry("n1"))], [about(told)]))
    other = msgspec.structs.replace(about(told), category="other")
    await scripts.run_mixed(inbox.adding([(told.user, make_entry("n1"))], [other]))
    assert [record.about for record in await page(records, told.user)] == [about(told)]


async def test_a_feed_is_paged_from_the_newest_on(inbox: Inbox, records: Records, make_entry: MakeEntry) -> None:
    await inbox.add_many([(ADA, make_entry(f"n{number}")) for number in range(5)])
    first = await page(records, ADA, limit=2)
    await inbox.add_many([(ADA, make_entry("newer"))])
    then = await page(records, ADA, after=first[-1].id, limit=2)
    last = await page(records, ADA, after=then[-1].id, limit=2)
    assert [record.id for record in (*first, *then, *last)] == ["n4", "n3", "n2", "n1", "n0"]


async def test_the_feed_has_what_has_left_the_inbox(inbox: Inbox, records: Records, make_entry: MakeEntry) -> None:
    await inbox.add_many([(ADA, make_entry(f"n{number}")) for number in range(5)])
    assert [item is None for item in await inbox.items_of(ADA, [NotificationId("n0"), NotificationId("n4")])] == [
        True,
        False,
    ]
    assert len(await page(records, ADA)) == 5


async def test_a_page_goes_past_records_that_are_gone(
    inbox: Inbox, records: Records, make_entry: MakeEntry, redis: Any, keys: Keys
) -> None:
    await inbox.add_many([(ADA, make_entry(f"n{number}")) for number in range(6)])
    for number in (2, 3, 4):
        await redis.delete(keys.record(ADA, NotificationId(f"n{number}")))
    assert [record.id for record in await page(records, ADA, limit=2)] == ["n5", "n1"]


async def test_the_feed_is_bounded(
    inbox: Inbox, records: Records, make_entry: MakeEntry, redis: Any, keys: Keys
) -> None:
    await inbox.add_many([(ADA, make_entry(f"n{number}")) for number in range(FEED_SIZE + 3)])
    assert await redis.llen(keys.feed(ADA)) == FEED_SIZE
    assert 0 < await redis.ttl(keys.feed(ADA)) <= RECORD_TTL_S


async def test_a_cursor_of_nobodys_page_is_refused(records: Records) -> None:
    with pytest.raises(InputError, match="cursor"):
        await page(records, ADA, after="nonsense")


async def test_an_erased_person_has_no_records_left(
    inbox: Inbox, records: Records, erasure: Erasure, make_entry: MakeEntry, make_job: MakeJob
) -> None:
    told = make_job("n1").notification
    await inbox.add_many([(ADA, make_entry(name)) for name in (told.id, "n2", "n3", "n4", "n5")])
    await records.own([told])
    await erasure.erase(ADA)
    assert await page(records, ADA) == []
    assert await records.read(ADA, told.id) is None
    assert await records.user_of(told.id) is None


async def test_the_first_click_stays(inbox: Inbox, records: Records, make_entry: MakeEntry) -> None:
    await inbox.add_many([(ADA, make_entry("n1"))])
    assert [await records.note_click(ADA, NotificationId("n1"), at) for at in (5, 9)] == [True, False]
    record = await records.read(ADA, NotificationId("n1"))
    assert record is not None
    assert record.clicked_ms == 5


async def test_a_click_does_not_bring_a_record_back(records: Records) -> None:
    assert not await records.note_click(ADA, NotificationId("gone"), 5)
    assert await records.read(ADA, NotificationId("gone")) is None
