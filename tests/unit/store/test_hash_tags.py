"""Redis Cluster runs a script on one node: all keys of one call must share a hash tag."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest

from hub.domain.channels import EMAIL
from hub.domain.decisions import Aggregate, AggregateKind, Change, Precedent, Publication
from hub.domain.digests import closing_job
from hub.domain.directives import UnsubscribeUser, Whose
from hub.domain.house_rules import Cap
from hub.domain.ids import EffectId, Epoch, JobId, NotificationId, RuleName, TemplateName, Topic, UserId
from hub.domain.notifications import EntryState, InboxEntry, Job, Lane, Notification, Step
from hub.domain.preferences import Preferences
from hub.domain.rulings import Allowance
from hub.domain.topics import Namespace, Namespaces, TopicKind
from hub.store.allowances import Allowances
from hub.store.dead_letters import DeadLetter, DeadLetters
from hub.store.delivery_workers import DeliveryWorkers
from hub.store.digests import Digests
from hub.store.directives import Directives
from hub.store.documents import Documents
from hub.store.idempotency import Fresh, Idempotency
from hub.store.inbox import Inbox
from hub.store.jobs import Claimed, Jobs
from hub.store.keys import Keys
from hub.store.outbox import Box, Outbox, Pending
from hub.store.parked import Parked
from hub.store.preferences import PreferenceBook
from hub.store.presence import Attendance, Presence
from hub.store.records import Attempt, Receipt, RecordedRuling, Records
from hub.store.scripts import Call, Script, Scripts
from hub.store.segments import Segments
from hub.store.single import SingleServer
from hub.store.topics import Topics
from hub.store.workers import WorkerFacts, Workers

NOBODY = SingleServer("redis://127.0.0.1:1")


class Recorder(Scripts):
    """Runs nothing, notes every call, and stops whoever waits for a reply."""

    def __init__(self) -> None:
        super().__init__(NOBODY)
        self.calls: list[Call] = []

    async def run_mixed(self, calls: Sequence[tuple[Script, Call]]) -> list[Any]:
        self.calls += [call for _, call in calls]
        raise NotImplementedError


USER = UserId("ada")
ORDER = Aggregate(AggregateKind.ORDER, "A-1")
PERSON = Aggregate(AggregateKind.PERSON, USER)
AFTER_ORDER = Change(ORDER, 1, b"", Precedent(Topic("order:A-1"), EffectId("e")))
AFTER_SHIPMENT = Change(
    Aggregate(AggregateKind.SHIPMENT, "S"), 1, b"", Precedent(Topic("shipment:S"), EffectId("e"), 1)
)
ENTRY = InboxEntry(NotificationId("n1"), "order.packed", "orders", "T", "B", 5)
NOTIFICATION = Notification(
    NotificationId("n1"), USER, RuleName("r"), "t", "c", Lane.CRITICAL, TemplateName("t"), {}, 5, (Step(EMAIL),)
)
JOB = Job(JobId("n1:0"), 0, NOTIFICATION, 0)
KEYED = msgspec.structs.replace(JOB, notification=msgspec.structs.replace(NOTIFICATION, cancel_key="cart {x}"))
CLOSING = closing_job(JOB, now_ms=0)
CLAIMED = Claimed(JOB, "token", 0, unknown=False, claims=0, lease_until_ms=0)
LETTER = DeadLetter("d", "http", "not JSON", "", b"", 0)
COUNTED = Allowance("b", "m", (Cap(1, 1),), "")
CLAIM = Fresh("shop", "key", "f", "token")
TOPICS = ["order:A-1", "inbox:ada", "announcements", "price:P", "user:ada", "due:critical:0", "fleeting:x"]


class Store:
    def __init__(self) -> None:
        self.recorder = recorder = Recorder()
        keys = Keys()
        namespaces = Namespaces(
            (Namespace("user"), Namespace("due", TopicKind.LATEST), Namespace("fleeting", history_size=0))
        )
        self.topics = Topics(NOBODY, recorder, keys, namespaces, dedupe_window_s=60)
        self.inbox = Inbox(NOBODY, recorder, keys, namespaces, size=9, dedupe_window_s=60)
        self.documents = Documents(NOBODY, recorder, keys, ttl_s=60)
        self.parked = Parked(NOBODY, recorder, keys)
        self.dead_letters = DeadLetters(NOBODY, recorder, keys)
        self.records = Records(NOBODY, recorder, keys)
        self.outbox = Outbox(NOBODY, recorder, keys, shards=4)
        self.telling = Records(NOBODY, recorder, keys, outbox=self.outbox)
        self.jobs = Jobs(NOBODY, recorder, keys, self.dead_letters, self.records, shards=4, dedupe_window_s=60)
        self.digests = Digests(recorder, keys, self.dead_letters, shards=4, dedupe_window_s=60)
        self.idempotency = Idempotency(NOBODY, recorder, keys)
        self.directives = Directives(NOBODY, recorder, keys)
        self.workers = Workers(recorder, keys)
        self.delivery_workers = DeliveryWorkers(recorder, keys)
        self.preferences = PreferenceBook(NOBODY, recorder, keys)
        self.allowances = Allowances(recorder, keys)
        self.segments = Segments(NOBODY, recorder, keys)
        self.presence = Presence(recorder, keys, namespaces)


USES: dict[str, Callable[[Store], Awaitable[object]]] = {
    "publish": lambda s: s.topics.publish_many([Publication(Topic(t), EffectId("e"), b"1") for t in TOPICS]),
    "publish latest": lambda s: s.topics.publish_many([Publication(Topic(t), EffectId("e"), b"1", 1) for t in TOPICS]),
    "read": lambda s: s.topics.read_since(Topic("inbox:ada"), 0, limit=1),
    "rotate": lambda s: s.topics.rotate_epoch(Topic("order:A-1"), Epoch("e")),
    "add": lambda s: s.inbox.add_many([(USER, ENTRY)]),
    "add collapsing": lambda s: s.inbox.add_many([(USER, msgspec.structs.replace(ENTRY, collapse_key="eta {x}"))]),
    "await": lambda s: s.inbox.await_many([(USER, "eta {x}", NotificationId("n1"))]),
    "page": lambda s: s.inbox.page(USER, cursor=None, limit=1),
    "mark": lambda s: s.inbox.mark(USER, [NotificationId("a"), NotificationId("b")], EntryState.READ),
    "apply": lambda s: s.documents.apply_many([Change(ORDER, 0, b""), Change(PERSON, 0, b"")]),
    "apply after": lambda s: s.documents.apply_many([AFTER_ORDER, AFTER_SHIPMENT]),
    "park": lambda s: s.parked.park(ORDER, b"", effect=EffectId("e"), now_ms=0, deadline_ms=1, limit=1),
    "unpark": lambda s: s.parked.unpark(ORDER, [b""]),
    "expired": lambda s: s.parked.expired(0, 1),
    "letter": lambda s: s.dead_letters.add_many([LETTER]),
    "letters": lambda s: s.dead_letters.list(),
    "drop": lambda s: s.dead_letters.drop("d"),
    "attempt": lambda s: s.records.record_attempt(NOTIFICATION, Attempt(0, 0, 0, EMAIL, "delivered")),
    "ruling": lambda s: s.records.note_ruling(NOTIFICATION, RecordedRuling(0, 0, 0, EMAIL, "drop")),
    "outcome": lambda s: s.telling.record_attempt(NOTIFICATION, Attempt(0, 0, 0, EMAIL, "delivered")),
    "receipt": lambda s: s.records.note_receipt(USER, NotificationId("n1"), Receipt(EMAIL, "delivered", 1, 0)),
    "click": lambda s: s.records.note_click(USER, NotificationId("n1"), 0),
    "keep": lambda s: s.segments.keep("s", "g", until_ms=1),
    "lease": lambda s: s.outbox.lease(0, 1),
    "told": lambda s: s.outbox.drop([Box(Pending(USER, b"1"), stored=(b"1 n x",))]),
    "rest": lambda s: s.outbox.rest(0, [Pending(USER, b"1")]),
    "schedule": lambda s: s.jobs.schedule_many([JOB]),
    "schedule keyed": lambda s: s.jobs.schedule_many([KEYED]),
    "begin keyed": lambda s: s.jobs.begin(msgspec.structs.replace(CLAIMED, job=KEYED)),
    "claim": lambda s: s.jobs.claim(lane=Lane.CRITICAL, now_ms=0, lease_ms=1, limit=8),
    "begin": lambda s: s.jobs.begin(CLAIMED),
    "finish": lambda s: s.jobs.finish(CLAIMED, followed_by=[JOB], outcome="delivered"),
    "climb again": lambda s: s.jobs.climb_again([JOB]),
    "hold": lambda s: s.jobs.hold(CLAIMED, 1, ruling=RecordedRuling(0, 0, 0, EMAIL, "hold", until_ms=1)),
    "prefer": lambda s: s.preferences.put(USER, Preferences(), expected_version=0),
    "count": lambda s: s.allowances.take_many([(USER, [Allowance("a", "m", (Cap(1, 1),), ""), COUNTED])]),
    "gather": lambda s: s.digests.gather(CLAIMED, closing_job(JOB, now_ms=0)),
    "take": lambda s: s.digests.take(msgspec.structs.replace(CLAIMED, job=CLOSING)),
    "finish closing": lambda s: s.jobs.finish(msgspec.structs.replace(CLAIMED, job=CLOSING), followed_by=[JOB, KEYED]),
    "retry": lambda s: s.jobs.retry(CLAIMED, 0, "busy"),
    "presence": lambda s: s.presence.change_many([Attendance(Topic(t), left=("c",)) for t in TOPICS]),
    "members": lambda s: s.presence.members(Topic("inbox:ada")),
    "present": lambda s: s.presence.stats(Topic("inbox:ada")),
    "key": lambda s: s.idempotency.begin("shop", "key {x}", "f"),
    "tell": lambda s: s.directives.tell([(EffectId("d"), UnsubscribeUser(Whose(USER), Topic("t")))], now_ms=0),
    "beat": lambda s: s.workers.beat(WorkerFacts("w", "w", "1", 0, clients=0, users=0, topics=0, subscriptions=0)),
    "alive": lambda s: s.workers.alive(),
    "deliverer": lambda s: s.delivery_workers.leave("w"),
    "deliverers": lambda s: s.delivery_workers.alive(),
    "answer": lambda s: s.idempotency.finish(CLAIM, b""),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
async def test_all_keys_of_one_script_call_share_a_hash_tag(use: Callable[[Store], Awaitable[object]]) -> None:
    store = Store()
    with pytest.raises(NotImplementedError):
        await use(store)
    for call in store.recorder.calls:
        assert len({key[key.index("{") : key.index("}") + 1] for key in call.keys}) == 1
