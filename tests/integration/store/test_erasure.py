"""Erasing a person: nothing about them is left, nothing new is kept, and what waits for them is dropped."""

from collections.abc import Callable

from hub.domain.channels import PUSH
from hub.domain.decisions import Aggregate, AggregateKind, Change, Document
from hub.domain.devices import Device, Kind, Platform
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import InboxEntry, Job, Lane
from hub.domain.topics import inbox as inbox_topic
from hub.store.connection import pipelined
from hub.store.devices import Devices
from hub.store.documents import Documents
from hub.store.erasure import Erasure
from hub.store.inbox import Erased, Inbox
from hub.store.jobs import Jobs
from hub.store.keys import Keys
from hub.store.records import Attempt, Receipt, Records
from hub.store.return_paths import Mailed, ReturnPaths
from hub.store.scripts import Scripts
from hub.store.server import Server
from hub.store.topics import Topics
from tests.integration.store.conftest import FakeClock

ADA = UserId("ada")
PERSON = Aggregate(AggregateKind.PERSON, ADA)


async def test_nothing_of_an_erased_person_is_left_but_hashes(
    erasure: Erasure, documents: Documents, inbox: Inbox, topics: Topics, make_entry: Callable[..., InboxEntry]
) -> None:
    await documents.apply_many([Change(PERSON, 0, b"tombstone")])
    await inbox.add_many([(ADA, make_entry("n1", collapse_key="k"))])
    (before,) = await topics.positions([inbox_topic(ADA)])
    await erasure.erase(ADA)
    assert (await inbox.page(ADA, cursor=None, limit=9)).items == ()
    page = await topics.read_since(inbox_topic(ADA), 0, limit=9)
    assert page.publications == ()
    assert page.position.epoch != before.epoch
    assert await documents.read_many([PERSON]) == [Document(1, b"tombstone")]


async def test_an_erased_persons_inbox_takes_nothing_more(
    erasure: Erasure, inbox: Inbox, make_entry: Callable[..., InboxEntry]
) -> None:
    await erasure.erase(ADA)
    assert await inbox.add_many([(ADA, make_entry("n1"))]) == [Erased()]
    assert await inbox.unread(ADA) == 0


async def test_what_lies_elsewhere_about_an_erased_person_goes_as_well(
    erasure: Erasure, inbox: Inbox, make_entry: Callable[..., InboxEntry], server: Server, keys: Keys
) -> None:
    entry, paths = make_entry("n1"), ReturnPaths(server, keys)
    device = Device(Kind.TOKEN, "registration", Platform.WEB, registered_ms=1, seen_ms=1)
    await inbox.add_many([(ADA, entry)])
    await Devices(server, Scripts(server), keys).put(ADA, device)
    await paths.note(entry.id, Mailed(ADA, "digest"))
    await erasure.erase(ADA)
    assert await paths.read(entry.id) is None
    assert await pipelined(server, [("EXISTS", keys.device_user(device.id))], what="test") == [0]


async def test_what_comes_later_is_not_noted_about_an_erased_person(
    erasure: Erasure, records: Records, make_job: Callable[..., Job]
) -> None:
    await erasure.erase(ADA)
    about = make_job("n1").notification
    await records.record_attempt(about, Attempt(1, 0, 0, PUSH, "delivered"))
    assert not await records.note_receipt(ADA, about.id, Receipt(PUSH, "delivered", 1, 1))
    assert await records.read(ADA, NotificationId("n1")) is None


async def test_jobs_of_an_erased_person_are_due_at_once_and_those_of_others_are_not(
    erasure: Erasure, jobs: Jobs, make_job: Callable[..., Job], clock: FakeClock
) -> None:
    later_ms = clock.now_ms + 90 * 86_400_000
    mine = [make_job(f"mine-{number}", due_ms=later_ms, lane=lane) for number, lane in enumerate(Lane)]
    others = [make_job(f"theirs-{number}", user=f"u-{number}", due_ms=later_ms) for number in range(1_200)]
    await jobs.schedule_many([*mine, *others])
    await erasure.erase(ADA)
    due = [
        claimed.job.id
        for lane in Lane
        for claimed in await jobs.claim(lane=lane, now_ms=clock.now_ms, lease_ms=1_000, limit=100)
    ]
    assert sorted(due) == sorted(job.id for job in mine)


async def test_who_is_named_in_somebody_elses_message_hastens_nothing(
    erasure: Erasure, jobs: Jobs, make_job: Callable[..., Job], clock: FakeClock
) -> None:
    job = make_job("n1", user="ben", due_ms=clock.now_ms + 1)
    job.notification.context["by"] = {"user": ADA}
    await jobs.schedule_many([job])
    await erasure.erase(ADA)
    assert await jobs.claim(lane=Lane.CRITICAL, now_ms=clock.now_ms, lease_ms=1_000, limit=100) == []
