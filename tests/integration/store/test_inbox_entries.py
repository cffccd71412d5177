from collections.abc import Callable
from typing import Protocol

import msgspec
import pytest
from redis.asyncio import Redis

from hub.domain.errors import InputError
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import EntryState, InboxEntry
from hub.domain.topics import inbox as inbox_topic
from hub.store.inbox import Created, Duplicate, Inbox
from hub.store.keys import Keys
from hub.store.records import Records
from hub.store.topics import Topics

ADA = UserId("ada")
MakeEntry = Callable[..., InboxEntry]


class Clock(Protocol):
    now_ms: int


async def shown(inbox: Inbox, **filters: object) -> list[str]:
    page = await inbox.page(ADA, cursor=None, limit=100, **filters)  # type: ignore[arg-type]
    return [item.entry.id for item in page.items]


async def live(topics: Topics) -> list[object]:
    page = await topics.read_since(inbox_topic(ADA), 0, limit=100)
    return [msgspec.json.decode(stored.data) for stored in page.publications]


async def test_an_entry_is_added_once(inbox: Inbox, make_entry: MakeEntry) -> None:
    entry = make_entry("n1", link="/orders/A-1", data={"order": "A-1"})
    assert await inbox.add_many([(ADA, entry), (ADA, entry)]) == [Created(1), Duplicate()]
    page = await inbox.page(ADA, cursor=None, limit=10)
    assert [(item.entry, item.state) for item in page.items] == [(entry, EntryState.UNSEEN)]


async def test_an_entry_that_has_left_is_not_added_again(inbox: Inbox, make_entry: MakeEntry) -> None:
    await inbox.add_many([(ADA, make_entry(name)) for name in "abcd"])
    assert await inbox.add_many([(ADA, make_entry("a"))]) == [Duplicate()]


async def test_the_oldest_entry_leaves_every_index(
    inbox: Inbox, make_entry: MakeEntry, redis: Redis, keys: Keys
) -> None:
    await inbox.add_many([(ADA, make_entry(name, collapse_key=name)) for name in "abcd"])
    assert await shown(inbox) == ["d", "c", "b"]
    assert await inbox.unread(ADA) == 3
    assert await redis.zcard(keys.inbox(ADA, "order")) == await redis.hlen(keys.inbox(ADA, "entries")) == 3
    assert await redis.hlen(keys.inbox(ADA, "collapse")) == 6
    assert await inbox.state_of_many([(ADA, NotificationId("a"))]) == [None]


async def test_a_new_entry_is_published_with_the_unread_count(
    inbox: Inbox, topics: Topics, make_entry: MakeEntry
) -> None:
    entry = make_entry("n1", title='"{é\u2028')
    await inbox.add_many([(ADA, entry), (ADA, entry)])
    assert await live(topics) == [{"type": "notification", "unread": 1, "notification": msgspec.to_builtins(entry)}]


async def test_an_unseen_entry_of_the_same_collapse_key_is_replaced(inbox: Inbox, make_entry: MakeEntry) -> None:
    results = await inbox.add_many([(ADA, make_entry(name, collapse_key="k")) for name in "ab"])
    assert results == [Created(1), Created(1)]
    assert await shown(inbox) == ["b"]


async def test_a_seen_entry_of_the_same_collapse_key_stays(inbox: Inbox, make_entry: MakeEntry) -> None:
    await inbox.add_many([(ADA, make_entry("a", collapse_key="k"))])
    await inbox.mark(ADA, [NotificationId("a")], EntryState.SEEN)
    await inbox.add_many([(ADA, make_entry(name, collapse_key="k")) for name in "bc"])
    assert await shown(inbox) == ["c", "a"]


async def test_what_has_expired_is_not_unread(inbox: Inbox, make_entry: MakeEntry, clock: Clock) -> None:
    await inbox.add_many([(ADA, make_entry("a", expires_ms=clock.now_ms + 10)), (ADA, make_entry("b"))])
    assert await inbox.unread(ADA) == 2
    clock.now_ms += 10
    assert await inbox.unread(ADA) == 1
    assert await shown(inbox, unread_only=True) == ["b"]
    assert await shown(inbox) == ["b", "a"]


async def test_seen_entries_are_unread_and_read_ones_are_not(inbox: Inbox, make_entry: MakeEntry) -> None:
    await inbox.add_many([(ADA, make_entry(name)) for name in "abc"])
    assert await inbox.mark(ADA, [NotificationId("a")], EntryState.SEEN) == 3
    assert await inbox.mark(ADA, [NotificationId("b")], EntryState.READ) == 2
    assert await inbox.mark(ADA, [NotificationId("c")], EntryState.ARCHIVED) == 1


async def test_a_state_never_moves_back_and_moving_on_is_published_once(
    inbox: Inbox, topics: Topics, make_entry: MakeEntry
) -> None:
    await inbox.add_many([(ADA, make_entry("a"))])
    ids = [NotificationId("a"), NotificationId("unknown")]
    for state in (EntryState.READ, EntryState.READ, EntryState.SEEN, EntryState.UNSEEN):
        await inbox.mark(ADA, ids, state)
    assert await inbox.state_of_many([(ADA, ids[0]), (ADA, ids[1])]) == [EntryState.READ, None]
    assert (await live(topics))[1:] == [{"type": "read", "ids": ["a"], "unread": 0}]


async def test_all_entries_are_marked_at_once(inbox: Inbox, topics: Topics, make_entry: MakeEntry) -> None:
    await inbox.add_many([(ADA, make_entry(name)) for name in "abc"])
    assert await inbox.mark(ADA, None, EntryState.READ) == 0
    assert (await live(topics))[-1] == {"type": "read", "ids": ["a", "b", "c"], "unread": 0}


async def test_marking_nothing_publishes_nothing(inbox: Inbox, topics: Topics) -> None:
    assert await inbox.mark(ADA, [], EntryState.READ) == 0
    assert await inbox.mark(ADA, None, EntryState.READ) == 0
    assert await live(topics) == []


async def test_more_ids_than_allowed_are_refused(inbox: Inbox) -> None:
    with pytest.raises(InputError, match="ids"):
        await inbox.mark(ADA, [NotificationId(str(n)) for n in range(1_001)], EntryState.SEEN)


async def test_pages_follow_each_other_while_entries_come_and_go(inbox: Inbox, make_entry: MakeEntry) -> None:
    await inbox.add_many([(ADA, make_entry(name)) for name in "abc"])
    first = await inbox.page(ADA, cursor=None, limit=1)
    await inbox.add_many([(ADA, make_entry("d"))])
    second = await inbox.page(ADA, cursor=first.cursor, limit=1)
    assert [item.entry.id for item in (*first.items, *second.items)] == ["c", "b"]
    assert second.cursor is None


async def test_filters_choose_by_category_and_by_archive(inbox: Inbox, make_entry: MakeEntry) -> None:
    entries = [make_entry("a", category="sales"), make_entry("b"), make_entry("c")]
    await inbox.add_many([(ADA, entry) for entry in entries])
    await inbox.mark(ADA, [NotificationId("c")], EntryState.ARCHIVED)
    assert await shown(inbox) == ["b", "a"]
    assert await shown(inbox, category="sales") == ["a"]
    assert await shown(inbox, category="sale") == []
    assert await shown(inbox, archived=True) == ["c"]


async def test_a_filtered_page_has_a_cursor_only_if_more_match(inbox: Inbox, make_entry: MakeEntry) -> None:
    await inbox.add_many([(ADA, make_entry(name, category=name)) for name in "abc"])
    page = await inbox.page(ADA, cursor=None, limit=1, category="c")
    assert page.cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "1 2", "²", "9" * 30, "nan"])
async def test_a_cursor_that_no_page_gave_is_refused(inbox: Inbox, cursor: str) -> None:
    with pytest.raises(InputError, match="cursor"):
        await inbox.page(ADA, cursor=cursor, limit=1)


@pytest.mark.parametrize("limit", [0, -1, 101])
async def test_a_limit_out_of_bounds_is_refused(inbox: Inbox, limit: int) -> None:
    with pytest.raises(InputError, match="limit"):
        await inbox.page(ADA, cursor=None, limit=limit)


async def test_every_structure_of_an_inbox_expires(
    inbox: Inbox, make_entry: MakeEntry, redis: Redis, keys: Keys
) -> None:
    await inbox.add_many([(ADA, make_entry("a", collapse_key="k"))])
    await inbox.mark(ADA, None, EntryState.READ)
    await inbox.add_many([(ADA, make_entry("b"))])
    found = [key async for key in redis.scan_iter(match=f"{keys.prefix}*", count=1_000)]
    assert [key for key in found if await redis.ttl(key) < 0] == []


async def test_the_record_knows_when_an_entry_was_seen_and_read(
    inbox: Inbox, records: Records, make_entry: MakeEntry, clock: Clock
) -> None:
    await inbox.add_many([(ADA, make_entry("a"))])
    for state in (EntryState.SEEN, EntryState.READ):
        clock.now_ms += 1
        await inbox.mark(ADA, None, state)
    record = await records.read(ADA, NotificationId("a"))
    assert record is not None
    assert (record.seen_ms, record.read_ms) == (clock.now_ms - 1, clock.now_ms)


async def test_what_has_left_the_inbox_is_marked_in_its_record_and_never_moves_back(
    inbox: Inbox, records: Records, topics: Topics, make_entry: MakeEntry, clock: Clock
) -> None:
    await inbox.add_many([(ADA, make_entry(name)) for name in "abcd"])
    gone, published = NotificationId("a"), len(await live(topics))
    for state in (EntryState.READ, EntryState.SEEN, EntryState.READ):
        clock.now_ms += 1
        assert await inbox.mark(ADA, [gone], state) == 3
    record = await records.read(ADA, gone)
    assert record is not None
    assert (record.seen_ms, record.read_ms) == (None, clock.now_ms - 2)
    assert await inbox.state_of_many([(ADA, gone)]) == [EntryState.READ]
    assert len(await live(topics)) == published


async def test_marking_what_never_was_there_leaves_no_record(inbox: Inbox, records: Records) -> None:
    await inbox.mark(ADA, [NotificationId("nobody")], EntryState.READ)
    assert await records.read(ADA, NotificationId("nobody")) is None
