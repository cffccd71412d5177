"""Digests against a plain model of them, on a real Redis: whatever workers do, each step is told exactly once."""

from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from hub.domain.channels import EMAIL, SMS, Channel
from hub.domain.digests import closing_job, name_of
from hub.domain.ids import JobId, NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Job, Lane, Notification, Step, job_id
from hub.store.digests import Digests, Gathering
from hub.store.jobs import Claimed
from tests.integration.store.machine import QueueMachine, run_machine

LANE = Lane.TRANSACTIONAL
LEASE_MS = 3_000
MOST = 3
PICK = st.integers(0, 1_000)
Slot = tuple[str, str]
"""A person, and the name of one of their digests."""


@dataclass
class Model:
    """What should be where. `open` says of each digest that gathers when it closes, and by which job."""

    waiting: set[JobId] = field(default_factory=set)
    gathered: dict[JobId, Slot] = field(default_factory=dict)
    open: dict[Slot, tuple[JobId, int]] = field(default_factory=dict)
    closed: dict[JobId, set[JobId]] = field(default_factory=dict)
    told: list[JobId] = field(default_factory=list)


class DigestMachine(QueueMachine):
    """Steps come due, and workers gather, close, tell, die half-way and come back late, at random."""

    def __init__(self) -> None:
        super().__init__()
        self.digests = Digests(
            self.scripts,
            self.keys,
            self.letters,
            shards=2,
            dedupe_window_s=600,
            most=MOST,
            clock=lambda: self.now_ms,
        )
        self.model = Model()
        self.in_hand: list[Claimed] = []
        self.gave_back: list[Claimed] = []
        """Steps that found their digest full: who asks again, later, is told the same."""
        self.count = 0

    @rule(
        channels=st.lists(st.sampled_from([EMAIL, EMAIL, SMS]), min_size=1, max_size=3),
        window_s=st.sampled_from([2, 5]),
    )
    def steps_are_due(self, channels: list[Channel], window_s: int) -> None:
        for channel in channels:
            self.count += 1
            name = NotificationId(f"n{self.count}")
            ladder = (Step(channel),)
            about = Notification(
                name, UserId("ada"), RuleName("r"), "t", "c", LANE, TemplateName("t"), {}, 1, ladder, digest_s=window_s
            )
            job = Job(job_id(name, 0), 0, about, self.now_ms)
            assert self.runner.run(self.jobs.schedule_many([job])) == [True]
            self.model.waiting.add(job.id)

    @rule()
    def a_worker_gathers_all_that_is_due(self) -> None:
        before = len(self.in_hand)
        self.a_worker_claims(20)
        for claimed in self.in_hand[before:]:
            if not claimed.job.digest:
                self._gather(claimed, again=False)

    @rule(limit=st.integers(1, 8))
    def a_worker_claims(self, limit: int) -> None:
        claimed = self.runner.run(self.jobs.claim(lane=LANE, now_ms=self.now_ms, lease_ms=LEASE_MS, limit=limit))
        for each in claimed:
            if each.job.digest:
                self._expect_closing(each.job)
        self.in_hand += claimed

    def _expect_closing(self, job: Job) -> None:
        """A closing job is claimed no earlier than the window of who opened it ends, but where the digest is full."""
        slot = (job.notification.user, job.digest)
        held = self.model.open.get(slot)
        if held is not None and held[0] == job.id:
            full = sum(each == slot for each in self.model.gathered.values()) >= MOST
            assert full or self.now_ms >= held[1]

    @rule(pick=PICK, again=st.booleans())
    def a_worker_gathers(self, pick: int, *, again: bool) -> None:
        """Move a step into its digest; `again`: the reply was lost, and it is asked for once more."""
        claimed = self._one(pick, closing=False)
        if claimed is not None:
            self._gather(claimed, again=again)

    def _gather(self, claimed: Claimed, *, again: bool) -> None:
        job = claimed.job
        closing = closing_job(job, now_ms=self.now_ms)
        results = {self.runner.run(self.digests.gather(claimed, closing)) for _ in range(1 + again)}
        assert len(results) == 1
        (result,) = results
        slot = (job.notification.user, name_of(job))
        if result is Gathering.GATHERED and job.id in self.model.waiting:
            self.model.waiting.discard(job.id)
            self.model.open.setdefault(slot, (closing.id, closing.due_ms))
            self.model.gathered[job.id] = slot
        if result is Gathering.FULL and claimed not in self.gave_back:
            self.gave_back.append(claimed)
            assert sum(each == slot for each in self.model.gathered.values()) >= MOST

    @rule(pick=PICK)
    def a_worker_closes_a_digest_and_dies(self, pick: int) -> None:
        claimed = self._one(pick, closing=True)
        if claimed is not None:
            self._close(claimed)

    @rule(pick=PICK, again=st.booleans())
    def a_worker_tells_what_is_in_it(self, pick: int, *, again: bool) -> None:
        claimed = self._one(pick, closing=True)
        if claimed is None:
            return
        contents = self._close(claimed)
        if contents is None:
            return
        kept = [self.runner.run(self.jobs.finish(claimed)) for _ in range(1 + again)]
        assert all(kept)
        self.model.told += contents
        del self.model.closed[claimed.job.id]

    def _close(self, claimed: Claimed) -> set[JobId] | None:
        """Close a digest; what is in it is what the model knows, now and for whoever asks later."""
        taken = self.runner.run(self.digests.take(claimed))
        if taken is None:
            return None
        job = claimed.job
        slot = (job.notification.user, job.digest)
        contents = {each.id for each in taken}
        if job.id not in self.model.closed:
            assert self.model.open.pop(slot)[0] == job.id
            members = {name for name, each in self.model.gathered.items() if each == slot}
            for name in members:
                del self.model.gathered[name]
            self.model.closed[job.id] = members
        assert contents == self.model.closed[job.id]
        return contents

    @rule(ms=st.sampled_from([1_000, 4_000]))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms

    def _one(self, pick: int, *, closing: bool) -> Claimed | None:
        """Any worker that ever claimed such a job, alive or thought dead."""
        fitting = [each for each in self.in_hand if bool(each.job.digest) is closing]
        return fitting[pick % len(fitting)] if fitting else None

    @invariant()
    def the_queue_holds_what_waits_and_a_closing_job_for_each_digest(self) -> None:
        depth = self.runner.run(self.jobs.depth())[LANE]
        assert depth == len(self.model.waiting) + len(self.model.open) + len(self.model.closed)

    @invariant()
    def nothing_is_told_twice(self) -> None:
        assert len(self.model.told) == len(set(self.model.told))

    def teardown(self) -> None:
        """In the end everything has been told, once."""
        for _ in range(200):
            if not (self.model.waiting or self.model.open or self.model.closed):
                break
            self.now_ms += LEASE_MS
            before = len(self.in_hand)
            self.a_worker_claims(20)
            self.in_hand = self.in_hand[before:]
            for place, each in enumerate(self.in_hand):
                same = [one for one in self.in_hand if bool(one.job.digest) is bool(each.job.digest)]
                assert self.in_hand[place] is each
                if each.job.digest:
                    self.a_worker_tells_what_is_in_it(same.index(each), again=False)
                else:
                    self._gather(each, again=False)
        assert sorted(self.model.told) == sorted(f"n{number}:0" for number in range(1, self.count + 1))


@pytest.mark.timeout(120)
def test_each_step_of_a_digest_is_told_exactly_once(redis_url: str) -> None:
    run_machine(DigestMachine, redis_url, examples=60, steps=50)
