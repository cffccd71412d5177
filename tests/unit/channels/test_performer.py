from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from channels import performer as performer_module
from channels.channel import Committing
from channels.digest import Digester
from channels.in_hand import InHand
from channels.ladder import Facts, Limits
from channels.performer import Performer
from hub.domain.channels import EMAIL
from hub.domain.errors import (
    InputError,
    PermanentDeliveryError,
    StoreUnavailable,
    TransientDeliveryError,
    UnknownDeliveryError,
)
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Job, Lane, Notification, Step, appearance_of, job_id
from hub.domain.people import Person
from hub.domain.rulings import Allow, Drop, Hold
from hub.service.sending.notifications import Sending
from hub.store.jobs import Claimed, Note
from hub.store.records import RecordedRuling
from hub.store.suppressions import Suppression

NOW_MS = 1_767_261_600_000
NOTIFICATION = Notification(
    id=NotificationId("n-1"),
    user=UserId("zoe"),
    rule=RuleName("r"),
    event_type="order.packed",
    category="orders",
    lane=Lane.CRITICAL,
    template=TemplateName("order-packed"),
    context={},
    created_ms=NOW_MS,
    ladder=(Step(EMAIL),),
)
JOB = Job(id=job_id(NOTIFICATION.id, 0), step=0, notification=NOTIFICATION, due_ms=NOW_MS)
CLAIMED = Claimed(JOB, "token", attempt=0, unknown=False, claims=0, lease_until_ms=NOW_MS + 30_000)
HAND = InHand(CLAIMED, Facts(now_ms=NOW_MS), Person(UserId("zoe"), email="zoe@example.com"), "zoe@example.com")


class Queue:
    """Writes down what it is told; `away` is how many calls fail first, `lost` says that the lease has passed on."""

    def __init__(self, *, away: int = 0, lost: bool = False) -> None:
        self.away = away
        self.lost = lost
        self.said: list[str] = []
        self.rulings: list[RecordedRuling | None] = []
        self.notes: list[Note] = []

    def _hear(self, what: str) -> bool:
        if self.away:
            self.away -= 1
            raise StoreUnavailable
        self.said.append(what)
        return not self.lost

    async def begin(self, claimed: Claimed, *, lease_until_ms: int | None = None) -> bool:
        return self._hear(f"begin until {(lease_until_ms or 0) - NOW_MS}")

    async def finish(
        self,
        claimed: Claimed,
        *,
        followed_by: Sequence[Job] = (),
        outcome: str = "",
        provider_id: str = "",
        detail: str = "",
        ruling: RecordedRuling | None = None,
        notes: Sequence[Note] = (),
    ) -> bool:
        self.rulings.append(ruling)
        self.notes += notes
        return self._hear(f"finish {outcome} {provider_id}{detail}")

    async def hold(self, claimed: Claimed, until_ms: int, *, ruling: RecordedRuling) -> bool:
        self.rulings.append(ruling)
        return self._hear(f"hold until {until_ms - NOW_MS}")

    async def retry(
        self,
        claimed: Claimed,
        due_ms: int,
        reason: str,
        *,
        unknown: bool = False,
        outcome: str = "retry",
        down_since_ms: int | None = None,
    ) -> bool:
        return self._hear(f"retry {outcome} {reason}" + (" down" if down_since_ms is not None else ""))

    async def bury(self, claimed: Claimed, reason: str, *, notes: Sequence[Note] = ()) -> bool:
        self.notes += notes
        return self._hear(f"bury {reason}")

    async def schedule_many(self, jobs: Sequence[Job]) -> list[bool]:
        return [True for _ in jobs]

    async def claim(self, *, lane: Lane, now_ms: int, lease_ms: int, limit: int) -> list[Claimed]:
        return []

    async def are_cancelled(self, jobs: Sequence[Job]) -> list[bool]:
        return [False for _ in jobs]

    async def depth(self) -> dict[Lane, int]:
        return {}


class Scripted:
    """A channel that fails as told, before or after its point of no return."""

    name = EMAIL
    resends_unknown = True

    def __init__(self, early: Exception | None = None, late: Exception | None = None) -> None:
        self._early = early
        self._late = late

    async def addresses(self, people: Sequence[Person]) -> list[str | None]:
        return [person.email for person in people]

    async def send(self, notification: Notification, person: Person, *, address: str, committing: Committing) -> str:
        if self._early:
            raise self._early
        await committing()
        if self._late:
            raise self._late
        return "kept"


class Suppressions:
    def __init__(self) -> None:
        self.added: list[str] = []

    async def add(self, channel: str, address: str, *, reason: str) -> None:
        self.added.append(address)

    async def find_many(self, addresses: Sequence[tuple[str, str]]) -> Sequence[Suppression | None]:
        return [None for _ in addresses]


NO_DIGESTS: Digester = None  # type: ignore[assignment]  # What is done here never comes to one.


class Inboxes:
    """Takes every notification; `problem` says that it cannot be rendered."""

    def __init__(self, problem: str = "") -> None:
        self.problem = problem
        self.appeared: list[Notification] = []

    async def notify(self, notifications: Sequence[Notification], /) -> Sequence[Sending]:
        if self.problem:
            raise InputError("context", self.problem)
        self.appeared += notifications
        return [Sending.CREATED for _ in notifications]


async def said(
    channel: Scripted, queue: Queue | None = None, *, hand: InHand = HAND, inboxes: Inboxes | None = None
) -> list[str]:
    queue = queue or Queue()
    performer = Performer(
        channels={EMAIL: channel},
        jobs=queue,
        digester=NO_DIGESTS,
        appearances=inboxes or Inboxes(),
        suppressions=Suppressions(),
        limits=Limits(),
        lease_s=30.0,
        clock=lambda: NOW_MS,
    )
    await performer.perform(hand, began=lambda: queue.said.append("began"))
    return queue.said


async def under(ruling: Allow | Hold | Drop) -> Queue:
    """What is written down of a job under a ruling."""
    queue = Queue()
    hand = replace(HAND, facts=replace(HAND.facts, ruling=ruling))
    await said(Scripted(), queue, hand=hand)
    return queue


async def test_a_call_is_written_down_before_and_after() -> None:
    assert await said(Scripted()) == ["begin until 30000", "began", "finish delivered kept"]


async def test_a_lost_lease_holds_the_call_back() -> None:
    assert await said(Scripted(), Queue(lost=True)) == ["begin until 30000"]


@pytest.mark.parametrize(
    ("early", "late", "last"),
    [
        (TransientDeliveryError("451"), None, "retry deferred 451"),
        (None, TransientDeliveryError("451"), "retry refused 451"),
        (None, UnknownDeliveryError("cut"), "retry unknown cut"),
        (PermanentDeliveryError("550"), None, "finish failed 550"),
        (RuntimeError("a bug"), None, "bury RuntimeError: a bug"),
        (None, RuntimeError("a bug"), "retry unknown RuntimeError: a bug"),
        (TransientDeliveryError("451 zoe@example.com"), None, "retry deferred 451 <address>"),
    ],
)
async def test_a_failure_is_written_down_for_what_it_is(
    early: Exception | None, late: Exception | None, last: str
) -> None:
    assert (await said(Scripted(early, late)))[-1] == last


async def test_what_was_delivered_is_not_forgotten_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performer_module, "_STORE_WAIT_S", 0.0)

    class AwayAfterTheCall(Queue):
        async def begin(self, claimed: Claimed, *, lease_until_ms: int | None = None) -> bool:
            self.away = 3
            return True

    assert (await said(Scripted(), AwayAfterTheCall()))[-1] == "finish delivered kept"


async def test_without_redis_nothing_is_sent() -> None:
    with pytest.raises(StoreUnavailable):
        await said(Scripted(), Queue(away=1))


APPEARING = replace(HAND, claimed=replace(CLAIMED, job=appearance_of(replace(NOTIFICATION, created_ms=NOW_MS - 500))))


async def test_what_was_sent_ahead_appears_as_of_now() -> None:
    inboxes = Inboxes()
    heard = await said(Scripted(), hand=APPEARING, inboxes=inboxes)
    assert heard == ["begin until 30000", "began", "finish delivered "]
    assert [each.created_ms for each in inboxes.appeared] == [NOW_MS]


async def test_what_has_been_called_off_does_not_appear() -> None:
    inboxes = Inboxes()
    await said(Scripted(), Queue(lost=True), hand=APPEARING, inboxes=inboxes)
    assert inboxes.appeared == []


async def test_what_no_longer_renders_is_put_aside() -> None:
    assert (await said(Scripted(), hand=APPEARING, inboxes=Inboxes("no such word")))[-1] == "bury context: no such word"


async def test_a_held_job_is_given_back_with_its_ruling_and_no_call() -> None:
    queue = await under(Hold("quiet hours", NOW_MS + 500))
    assert queue.said == ["hold until 500"]
    (ruling,) = queue.rulings
    assert ruling is not None
    assert (ruling.verdict, ruling.reason, ruling.until_ms) == ("hold", "quiet hours", NOW_MS + 500)


async def test_a_dropped_job_leaves_a_ruling_and_no_attempt() -> None:
    queue = await under(Drop("switched off"))
    assert queue.said == ["finish  switched off"]
    assert [ruling and (ruling.verdict, ruling.reason) for ruling in queue.rulings] == [("drop", "switched off")]


async def test_what_is_sent_says_why_it_was_allowed() -> None:
    queue = await under(Allow("orders by email is on"))
    assert queue.said == ["begin until 30000", "began", "finish delivered kept"]
    assert [ruling and (ruling.verdict, ruling.at_ms) for ruling in queue.rulings] == [("send", NOW_MS)]
