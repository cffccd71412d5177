"""The delay queue against a plain model of it, on a real Redis: no job is lost, held twice or done twice."""

from dataclasses import dataclass, field
from functools import partial

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from hub.domain.channels import EMAIL, SMS
from hub.domain.ids import JobId, NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Job, Lane, Notification, Step
from hub.store.jobs import Claimed
from tests.due import next_due_ms
from tests.integration.store.machine import QueueMachine, run_machine

LANE = Lane.TRANSACTIONAL
LEASE_MS = 20
NUMBERS = st.integers(0, 5)
PICK = st.integers(0, 1_000)


def job(number: int, *, step: int, due_ms: int) -> Job:
    notification = Notification(
        NotificationId(f"n{number}"),
        UserId(f"u{number}"),
        RuleName("r"),
        "t",
        "c",
        LANE,
        TemplateName("t"),
        {},
        1,
        (Step(EMAIL), Step(SMS)),
    )
    return Job(JobId(f"n{number}:{step}"), step, notification, due_ms)


@dataclass
class Held:
    """A job in the model: waiting until `due_ms`, or in the hands of `token` until then."""

    due_ms: int
    token: str = ""
    begun: bool = False
    unknown: bool = False
    tries: int = 0
    claims: int = 0
    outages: int = 0
    down_since_ms: int | None = None


@dataclass
class Model:
    """Everything that should be in the queue, and everything that ever was."""

    jobs: dict[JobId, Held] = field(default_factory=dict)
    known: set[JobId] = field(default_factory=set)
    ended: dict[JobId, str] = field(default_factory=dict)
    """The token each job was finished with."""


class JobsMachine(QueueMachine):
    """Workers that schedule, claim, begin, end, forget and come back late, at random."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.in_hand: list[Claimed] = []
        self.buried: set[str] = set()

    @rule(number=NUMBERS, delay_ms=st.sampled_from([0, 5, 30]))
    def schedule(self, number: int, delay_ms: int) -> None:
        new = job(number, step=0, due_ms=self.now_ms + delay_ms)
        assert self.runner.run(self.jobs.schedule_many([new, new])) == [new.id not in self.model.known, False]
        self.expect(new)

    def expect(self, new: Job) -> None:
        if new.id not in self.model.known:
            self.model.known.add(new.id)
            self.model.jobs[new.id] = Held(new.due_ms)

    @rule(limit=st.integers(1, 6))
    def claim(self, limit: int) -> None:
        claimed = self.runner.run(self.jobs.claim(lane=LANE, now_ms=self.now_ms, lease_ms=LEASE_MS, limit=limit))
        due = {name for name, held in self.model.jobs.items() if held.due_ms <= self.now_ms}
        assert {each.job.id for each in claimed} <= due
        assert len({each.job.id for each in claimed}) == len(claimed) <= limit
        # Half the limit for each of the two shards: a full shard is no reason to give nothing.
        assert len(claimed) >= min(len(due), limit // 2)
        for each in claimed:
            held = self.model.jobs[each.job.id]
            held.unknown = held.unknown or held.begun
            assert (each.attempt, each.claims, each.unknown) == (held.tries, held.claims, held.unknown)
            assert (each.outages, each.down_since_ms) == (held.outages, held.down_since_ms)
            held.token, held.begun, held.claims = each.token, False, held.claims + 1
            held.due_ms = self.now_ms + LEASE_MS
        self.in_hand += claimed

    def holder(self, pick: int) -> tuple[Claimed, Held | None] | None:
        """Any worker that ever claimed something, alive or thought dead, and the job if it is still that worker's."""
        if not self.in_hand:
            return None
        claimed = self.in_hand[pick % len(self.in_hand)]
        held = self.model.jobs.get(claimed.job.id)
        return claimed, held if held is not None and held.token == claimed.token else None

    @rule(pick=PICK)
    def begin(self, pick: int) -> None:
        if (found := self.holder(pick)) is None:
            return
        claimed, held = found
        until_ms = self.now_ms + LEASE_MS
        assert self.runner.run(self.jobs.begin(claimed, lease_until_ms=until_ms)) == (held is not None)
        if held is not None:
            held.tries += not held.begun
            held.begun, held.due_ms = True, max(held.due_ms, until_ms)

    @rule(pick=PICK, delay_ms=st.sampled_from([0, 10]), unknown=st.booleans(), down=st.booleans())
    def retry(self, pick: int, delay_ms: int, unknown: bool, down: bool) -> None:
        if (found := self.holder(pick)) is None:
            return
        claimed, held = found
        since_ms = (claimed.down_since_ms or self.now_ms) if down else None
        retry = partial(self.jobs.retry, unknown=unknown, down_since_ms=since_ms)
        again = [self.runner.run(retry(claimed, self.now_ms + delay_ms, "busy")) for _ in range(2)]
        if held is not None:
            assert again == [True, True]
            held.token, held.begun, held.due_ms = f"-{held.token}", False, self.now_ms + delay_ms
            held.unknown = held.unknown or unknown
            held.outages, held.down_since_ms = held.outages + down, since_ms

    @rule(pick=PICK, follow=st.booleans())
    def finish(self, pick: int, follow: bool) -> None:
        if (found := self.holder(pick)) is None:
            return
        claimed, held = found
        number = int(claimed.job.notification.id[1:])
        following = job(number, step=1, due_ms=self.now_ms) if follow and claimed.job.step == 0 else None
        done = [
            self.runner.run(self.jobs.finish(claimed, followed_by=[following] if following else ())) for _ in range(2)
        ]
        if held is not None:
            self.end(claimed)
            if following is not None:
                self.expect(following)
        assert done == [self.model.ended.get(claimed.job.id) == claimed.token] * 2

    @rule(pick=PICK)
    def bury(self, pick: int) -> None:
        if (found := self.holder(pick)) is None:
            return
        claimed, held = found
        done = [self.runner.run(self.jobs.bury(claimed, "no address")) for _ in range(2)]
        if held is not None:
            self.end(claimed)
            self.buried.add(claimed.job.id)
        assert done == [self.model.ended.get(claimed.job.id) == claimed.token] * 2

    def end(self, claimed: Claimed) -> None:
        del self.model.jobs[claimed.job.id]
        self.model.ended[claimed.job.id] = claimed.token

    @rule(ms=st.sampled_from([1, 10, 25]))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms

    @rule(pick=PICK)
    def a_worker_dies_during_a_call(self, pick: int) -> None:
        self.begin(pick)
        self.time_passes(LEASE_MS)
        self.claim(6)

    @invariant()
    def the_queue_holds_what_the_model_holds(self) -> None:
        assert self.runner.run(self.jobs.depth())[LANE] == len(self.model.jobs)
        due = min((held.due_ms for held in self.model.jobs.values()), default=None)
        assert self.runner.run(next_due_ms(self.server, self.keys, LANE, shards=2)) == due

    def teardown(self) -> None:
        letters = self.runner.run(self.letters.list()).letters
        assert {letter.id for letter in letters} == self.buried
        self.now_ms += 1_000
        claimed = self.runner.run(self.jobs.claim(lane=LANE, now_ms=self.now_ms, lease_ms=LEASE_MS, limit=100))
        assert {each.job.id for each in claimed} == set(self.model.jobs)


@pytest.mark.timeout(60)
def test_the_delay_queue_always_agrees_with_its_model(redis_url: str) -> None:
    run_machine(JobsMachine, redis_url, examples=25, steps=30)
