from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from hub.domain.errors import StoreUnavailable
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import EntryState, InboxEntry
from hub.domain.permission import Identity, Role
from hub.protocol.codes import CommandError
from hub.service.calls import Operations
from hub.service.person.inbox import InboxService
from hub.service.rate import RateLimiter
from hub.service.rpc import Rpc
from hub.store.inbox import InboxItem, InboxPage

ADA = Identity(UserId("ada"), Role.SHOPPER)
ENTRY = InboxEntry(NotificationId("n-1"), "order.packed", "orders", "Packed", "Your kettle is packed.", 1_000)


class FakeEntries:
    """One entry; writes down what it is asked."""

    def __init__(self) -> None:
        self.pages: list[tuple[object, ...]] = []
        self.marks: list[tuple[UserId, Sequence[NotificationId] | None, EntryState]] = []
        self.error: Exception | None = None

    async def page(
        self, user: UserId, *, cursor: str | None, limit: int, unread_only: bool, category: str | None, archived: bool
    ) -> InboxPage:
        if self.error is not None:
            raise self.error
        self.pages.append((user, cursor, limit, unread_only, category, archived))
        return InboxPage((InboxItem(ENTRY, EntryState.SEEN),), cursor="17", unread=3)

    async def mark(self, user: UserId, ids: Sequence[NotificationId] | None, state: EntryState) -> int:
        self.marks.append((user, ids, state))
        return 2


@pytest.fixture
def entries() -> FakeEntries:
    return FakeEntries()


@pytest.fixture
def rpc(entries: FakeEntries) -> Rpc:
    operations = Operations(InboxService(entries).operations(), rates=RateLimiter(), monotonic=lambda: 0.0)
    return Rpc(operations)


async def refusal(rpc: Rpc, method: str, data: bytes, who: Identity = ADA) -> CommandError:
    with pytest.raises(CommandError) as caught:
        await rpc(who, method, data)
    return caught.value


async def test_the_inbox_comes_as_the_page_shows_it(rpc: Rpc) -> None:
    answer = json.loads(await rpc(ADA, "inbox.list", b"{}"))
    assert (answer["unread"], answer["next_cursor"]) == (3, "17")
    assert answer["entries"][0] == {
        "id": "n-1",
        "event_type": "order.packed",
        "category": "orders",
        "title": "Packed",
        "body": "Your kettle is packed.",
        "created_ms": 1_000,
        "state": "seen",
    }


async def test_no_data_means_no_fields(rpc: Rpc, entries: FakeEntries) -> None:
    await rpc(ADA, "inbox.list", b"")
    assert entries.pages == [("ada", None, 20, False, None, False)]


async def test_filters_are_passed_on(rpc: Rpc, entries: FakeEntries) -> None:
    await rpc(ADA, "inbox.list", b'{"cursor":"9","limit":5,"unread":true,"category":"orders","archived":true}')
    assert entries.pages == [("ada", "9", 5, True, "orders", True)]


@pytest.mark.parametrize(
    ("method", "state"),
    [("inbox.ack", EntryState.SEEN), ("inbox.read", EntryState.READ), ("inbox.archive", EntryState.ARCHIVED)],
)
async def test_entries_are_marked(rpc: Rpc, entries: FakeEntries, method: str, state: EntryState) -> None:
    assert json.loads(await rpc(ADA, method, b'{"ids":["n-1"]}')) == {"unread": 2}
    await rpc(ADA, method, b'{"all":true}')
    assert entries.marks == [("ada", [NotificationId("n-1")], state), ("ada", None, state)]


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"ids":[],"all":false}',
        b'{"ids":["a"],"all":true}',
        b'{"ids":"a"}',
        b'{"ids":[""]}',
        b'{"ids":[7]}',
        json.dumps({"ids": ["x"] * 1_001}).encode(),
    ],
)
async def test_which_entries_must_be_said_clearly(rpc: Rpc, entries: FakeEntries, data: bytes) -> None:
    error = await refusal(rpc, "inbox.read", data)
    assert (error.code, error.temporary) == (107, False)
    assert "ids" in error.message
    assert entries.marks == []


@pytest.mark.parametrize("data", [b"7", b"[]", b"{", b'{"limit":0}', b'{"limit":"5"}', b'{"colour":1}', b"\xff"])
async def test_bad_data_is_a_bad_request(rpc: Rpc, data: bytes) -> None:
    assert (await refusal(rpc, "inbox.list", data)).code == 107


async def test_an_unknown_method_is_not_found(rpc: Rpc) -> None:
    assert (await refusal(rpc, "inbox.burn", b"{}")).code == 104


async def test_a_service_has_no_inbox(rpc: Rpc) -> None:
    service = Identity(UserId("service:x"), Role.SERVICE)
    assert (await refusal(rpc, "inbox.list", b"{}", who=service)).code == 103


async def test_scopes_narrow_what_a_bearer_may_call(rpc: Rpc) -> None:
    narrow = Identity(UserId("ada"), Role.SHOPPER, scopes=frozenset({"inbox.list"}))
    await rpc(narrow, "inbox.list", b"{}")
    assert (await refusal(rpc, "inbox.ack", b'{"all":true}', who=narrow)).code == 103


async def test_redis_being_away_is_temporary(rpc: Rpc, entries: FakeEntries) -> None:
    entries.error = StoreUnavailable("connection refused at 10.0.0.7")
    error = await refusal(rpc, "inbox.list", b"{}")
    assert (error.code, error.temporary) == (108, True)
    assert "10.0.0.7" not in error.message


async def test_above_the_rate_limit_it_is_too_many_requests(rpc: Rpc) -> None:
    for _ in range(120):
        await rpc(ADA, "inbox.list", b"{}")
    error = await refusal(rpc, "inbox.list", b"{}")
    assert (error.code, error.temporary) == (111, True)
