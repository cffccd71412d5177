"""Sends, cancels and workers at random, their steps interleaved, on a real Redis: a cancel and a send never race."""

import asyncio
import secrets
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from hub.domain.channels import EMAIL
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Job, Lane, Notification, Step, job_id
from hub.store.dead_letters import DeadLetters
from hub.store.jobs import Claimed, Jobs
from hub.store.keys import Keys
from hub.store.records import Records
from hub.store.scripts import Scripts
from hub.store.server import Server
from hub.store.single import SingleServer

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


class CancelMachine(RuleBasedStateMachine):
    """Services that send and cancel under two keys, and workers that claim, look, and begin calls some time later."""

    server: Server
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        keys, scripts = Keys(f"{secrets.token_hex(6)}:"), Scripts(self.server)
        letters, records = DeadLetters(self.server, scripts, keys), Records(self.server, scripts, keys)
        self.clock_ms = 1_000
        clock = lambda: self.clock_ms  # noqa: E731
        self.jobs = Jobs(self.server, scripts, keys, letters, records, shards=2, dedupe_window_s=60, clock=clock)
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
        job = Job(job_id(name, 0), 0, about, self.clock_ms + later_ms)
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
        before = self.clock_ms
        self.clock_ms += clock_ms
        self.runner.run(self.jobs.cancellations.cancel(ADA, key))
        self.clock_ms = before
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
    with asyncio.Runner() as runner:
        server = SingleServer(redis_url)
        machine = type("Machine", (CancelMachine,), {"server": server, "runner": runner})
        checks = [HealthCheck.too_slow]
        run_state_machine_as_test(
            machine,
            settings=settings(max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=checks),
        )
        runner.run(server.aclose())
