"""What happens to notifications waits in their person's outbox, once and in order, until it is told."""

from collections.abc import Callable

import pytest

from hub.domain.channels import EMAIL, PUSH, SMS
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import EntryState, InboxEntry, Job, Lane
from hub.domain.outcomes import OutcomeKind, event_of
from hub.domain.topics import Namespaces
from hub.store.erasure import Erasure
from hub.store.inbox import Inbox
from hub.store.jobs import Jobs
from hub.store.keys import Keys
from hub.store.outbox import MOST_OF_ONE, Box, Outbox, Pending
from hub.store.records import Attempt, Receipt, RecordedRuling, Records
from hub.store.scripts import Scripts
from hub.store.server import Server
from tests.integration.store.conftest import FakeClock

MakeJob = Callable[..., Job]
MakeEntry = Callable[..., InboxEntry]
ADA, N1 = UserId("ada"), NotificationId("n1")


@pytest.fixture
def outbox(server: Server, scripts: Scripts, keys: Keys, clock: FakeClock) -> Outbox:
    return Outbox(server, scripts, keys, shards=1, clock=clock)


@pytest.fixture
def inbox(server: Server, scripts: Scripts, keys: Keys, clock: FakeClock, outbox: Outbox) -> Inbox:
    return Inbox(server, scripts, keys, Namespaces(), size=50, dedupe_window_s=60, outbox=outbox, clock=clock)


@pytest.fixture
def records(server: Server, scripts: Scripts, keys: Keys, outbox: Outbox) -> Records:
    return Records(server, scripts, keys, outbox=outbox)


async def waiting(outbox: Outbox) -> list[Box]:
    return await outbox.read(await outbox.pending(0, 10))


async def kinds(outbox: Outbox) -> list[tuple[int, OutcomeKind]]:
    (box,) = await waiting(outbox)
    return [(entry.number, event_of(entry.text, entry.number).type) for entry in box.entries]


async def test_everything_that_happens_to_a_notification_is_told_in_order(
    inbox: Inbox, records: Records, outbox: Outbox, make_entry: MakeEntry, make_job: MakeJob
) -> None:
    told = make_job("n1").notification
    await inbox.add_many([(ADA, make_entry("n1"))])
    await records.note_ruling(told, RecordedRuling(1, 0, 0, EMAIL, "hold", "quiet hours", until_ms=2))
    await records.record_attempt(told, Attempt(2, 0, 0, EMAIL, "delivered", "m-1"))
    await records.note_receipt(ADA, N1, Receipt(EMAIL, "bounced", 5, 3))
    await inbox.mark(ADA, [N1], EntryState.SEEN)
    await inbox.mark(ADA, [N1], EntryState.READ)
    await records.note_click(ADA, N1, 4)
    await inbox.mark(ADA, [N1], EntryState.ARCHIVED)
    assert await kinds(outbox) == [
        (1, OutcomeKind.CREATED),
        (2, OutcomeKind.RULED),
        (3, OutcomeKind.ATTEMPTED),
        (4, OutcomeKind.REPORTED),
        (5, OutcomeKind.SEEN),
        (6, OutcomeKind.READ),
        (7, OutcomeKind.CLICKED),
        (8, OutcomeKind.ARCHIVED),
    ]


async def test_what_happens_twice_is_told_once(
    inbox: Inbox, records: Records, outbox: Outbox, make_entry: MakeEntry, make_job: MakeJob
) -> None:
    told = make_job("n1").notification
    for _ in range(2):
        await inbox.add_many([(ADA, make_entry("n1"))])
        await records.record_attempt(told, Attempt(2, 0, 0, EMAIL, "delivered"))
        await records.note_receipt(ADA, N1, Receipt(SMS, "sent", 5, 3))
        await inbox.mark(ADA, [N1, NotificationId("no-such")], EntryState.READ)
        await records.note_click(ADA, N1, 4)
    assert len(await kinds(outbox)) == 5


async def test_a_jobs_outcome_is_told_with_its_end(jobs: Jobs, outbox: Outbox, make_job: MakeJob) -> None:
    await jobs.schedule_many([make_job("n1")])
    (claimed,) = await jobs.claim(lane=Lane.CRITICAL, now_ms=0, lease_ms=100, limit=8)
    assert await outbox.pending(0, 10) == []
    assert await jobs.finish(claimed, outcome="delivered", provider_id="m-1")
    (box,) = await waiting(outbox)
    (entry,) = box.entries
    outcome = event_of(entry.text, entry.number).data
    assert (outcome.channel, outcome.outcome, outcome.provider_id) == (EMAIL, "delivered", "m-1")


async def test_without_anybody_who_wants_to_know_nothing_waits(
    server: Server, keys: Keys, outbox: Outbox, make_entry: MakeEntry
) -> None:
    inbox = Inbox(server, Scripts(server), keys, Namespaces(), size=50, dedupe_window_s=60)
    await inbox.add_many([(ADA, make_entry("n1"))])
    await inbox.mark(ADA, [N1], EntryState.READ)
    assert await outbox.pending(0, 10) == []
    assert (await outbox.read([Pending(ADA, b"")]))[0].stored == ()


async def test_an_outbox_keeps_the_newest_and_counts_what_it_lost(
    inbox: Inbox, outbox: Outbox, make_entry: MakeEntry
) -> None:
    await inbox.add_many([(ADA, make_entry(f"n{number}")) for number in range(MOST_OF_ONE + 3)])
    (box,) = await waiting(outbox)
    assert box.lost == 3
    assert [entry.notification for entry in box.entries] == [f"n{number}" for number in range(3, MOST_OF_ONE + 3)]
    await outbox.drop([box])
    assert (await outbox.read([box.pending]))[0].stored == ()


async def test_only_what_was_read_is_dropped(inbox: Inbox, outbox: Outbox, make_entry: MakeEntry) -> None:
    await inbox.add_many([(ADA, make_entry("n1"))])
    (box,) = await waiting(outbox)
    await inbox.add_many([(ADA, make_entry("n2"))])
    await outbox.drop([box])
    await outbox.drop([box])
    (left,) = await waiting(outbox)
    assert [entry.notification for entry in left.entries] == ["n2"]


async def test_who_got_something_since_they_were_looked_at_goes_on_waiting(
    inbox: Inbox, outbox: Outbox, make_entry: MakeEntry
) -> None:
    await inbox.add_many([(ADA, make_entry("n1"))])
    looked_at = await outbox.pending(0, 10)
    # In the same millisecond.
    await inbox.add_many([(ADA, make_entry("n2"))])
    await outbox.rest(0, looked_at)
    assert [each.user for each in await outbox.pending(0, 10)] == [ADA]
    await outbox.rest(0, await outbox.pending(0, 10))
    assert await outbox.pending(0, 10) == []


async def test_who_rests_is_looked_at_once_more(
    inbox: Inbox, outbox: Outbox, clock: FakeClock, make_entry: MakeEntry
) -> None:
    """On a cluster, the note that something waits may come before what waits."""
    await inbox.add_many([(user, make_entry("n1")) for user in (ADA, UserId("mia"))])
    boxes = await waiting(outbox)
    await outbox.drop(box for box in boxes if box.pending.user == "mia")
    await outbox.rest(0, [box.pending for box in boxes])
    assert await outbox.wake(0, 10) == 0
    clock.now_ms += 60_001
    assert await outbox.wake(0, 10) == 1
    assert [each.user for each in await outbox.pending(0, 10)] == [ADA]
    assert await outbox.wake(0, 10) == 0


async def test_a_shard_has_one_holder_until_it_is_given_back(
    server: Server, scripts: Scripts, keys: Keys, outbox: Outbox
) -> None:
    other = Outbox(server, scripts, keys, shards=1)
    assert await outbox.lease(0, 60_000)
    assert await outbox.lease(0, 60_000)
    assert not await other.lease(0, 60_000)
    assert await outbox.lease(0, 0)
    assert await other.lease(0, 60_000)


async def test_an_erased_persons_outcomes_are_not_told(
    inbox: Inbox, outbox: Outbox, erasure: Erasure, make_entry: MakeEntry
) -> None:
    await inbox.add_many([(ADA, make_entry("n1"))])
    await erasure.erase(ADA)
    assert await waiting(outbox) == [Box(Pending(ADA, (await outbox.pending(0, 1))[0].score))]


async def test_a_push_that_is_tried_after_the_record_is_full_is_told(
    records: Records, outbox: Outbox, make_job: MakeJob
) -> None:
    told = make_job("n1").notification
    for number in range(50):
        await records.record_attempt(told, Attempt(number, 0, number, PUSH, "refused"))
    assert len(await kinds(outbox)) == 50
