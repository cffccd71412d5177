"""Sends, cancels and workers at random, their steps interleaved, on a real Redis: a cancel and a send never race."""

from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from hub.domain.channels import EMAIL
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Job, Lane, Notification, Step, job_id
from hub.store.jobs import Claimed
from tests.integration.store.machine import QueueMachine, run_machine

ADA = UserId("ada")
KEYS = st.sampled_from(["a", "b"])
LANES = st.sampled_from([Lane.CRITICAL, Lane.MARKETING])
PICK = st.integers(0, 1_000)


@dataclass
class Sending:
    """One send: its generation is read, later its job is scheduled. Times are steps of the machine."""

    key: str
    lane: Lane
    job: Job
    began: int
    done: int | None = None


@dataclass
class History:
    """What has happened, in order."""

    step: int = 0
    sends: dict[str, Sending] = field(default_factory=dict)
    cancels: list[tuple[str, int]] = field(default_factory=list)
    """Key and step of each cancel."""


class CancelMachine(QueueMachine):
    """Services that send and cancel under two keys, and workers that claim, look, and begin calls some time later."""

    def __init__(self) -> None:
        super().__init__()
        self.history = History()
        self.in_hand: list[Claimed] = []

    def tick(self) -> int:
        self.history.step += 1
        return self.history.step

    @rule(key=KEYS, lane=LANES, later_ms=st.sampled_from([0, 10**9]))
    def a_send_begins(self, key: str, lane: Lane, later_ms: int) -> None:
        began = self.tick()
        (generation,) = self.runner.run(self.jobs.cancellations.generations([(lane, ADA, key)]))
        name = NotificationId(f"n{began}")
        about = Notification(
            name,
            ADA,
            RuleName("r"),
            "t",
            "c",
            lane,
            TemplateName("t"),
            {},
            1,
            (Step(EMAIL),),
            cancel_key=key,
            generation=generation,
        )
        job = Job(job_id(name, 0), 0, about, self.now_ms + later_ms)
        self.history.sends[job.id] = Sending(key, lane, job, began)

    @rule(pick=PICK)
    def a_send_ends(self, pick: int) -> None:
        open_ones = [send for send in self.history.sends.values() if send.done is None]
        if open_ones:
            send = open_ones[pick % len(open_ones)]
            self.runner.run(self.jobs.schedule_many([send.job]))
            send.done = self.tick()

    @rule(key=KEYS, clock_ms=st.sampled_from([-500, 0, 500]))
    def cancel(self, key: str, clock_ms: int) -> None:
        before = self.now_ms
        self.now_ms += clock_ms
        self.runner.run(self.jobs.cancellations.cancel(ADA, key))
        self.now_ms = before
        self.history.cancels.append((key, self.tick()))

    @rule(lane=LANES)
    def claim(self, lane: Lane) -> None:
        self.in_hand += self.runner.run(self.jobs.claim(lane=lane, now_ms=10**13, lease_ms=10**6, limit=4))

    @rule(pick=PICK, looks=st.booleans())
    def begin(self, pick: int, *, looks: bool) -> None:
        """Begin the call of a job in hand; a worker that `looks` first finishes what it finds cancelled."""
        if not self.in_hand:
            return
        claimed = self.in_hand.pop(pick % len(self.in_hand))
        (off,) = self.runner.run(self.jobs.are_cancelled([claimed.job]))
        if not (looks and off):
            assert self.runner.run(self.jobs.begin(claimed)) == (not off)
        send = self.history.sends[claimed.job.id]
        assert send.done is not None
        since_it_was_sent = [step for key, step in self.history.cancels if key == send.key and step > send.done]
        since_it_began = [step for key, step in self.history.cancels if key == send.key and step > send.began]
        if since_it_was_sent:
            assert off, "a cancel missed what was sent before it"
        if not since_it_began:
            assert not off, "a cancel hit what was sent after it"
        # What is off and has not been looked at was given back, for somebody to write it down.
        assert self.runner.run(self.jobs.finish(claimed)) == (looks or not off)

    def teardown(self) -> None:
        """Everything that was sent leaves the queue, cancelled or not."""
        for _ in range(len(self.history.sends) + 1):
            self.claim(Lane.CRITICAL)
            self.claim(Lane.MARKETING)
            while self.in_hand:
                self.begin(0, looks=True)
        assert sum(self.runner.run(self.jobs.depth()).values()) == 0


@pytest.mark.timeout(90)
def test_a_cancel_hits_what_came_before_it_and_nothing_that_comes_after(redis_url: str) -> None:
    run_machine(CancelMachine, redis_url, examples=25, steps=30)
