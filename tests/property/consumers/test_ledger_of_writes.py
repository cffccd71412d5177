"""A power loss of Redis at any moment loses no acknowledged event."""

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from consumers.acknowledgement import Acknowledge, Ledger, Replay
from consumers.ports import Generation

FSYNC_LAG_S = 2.0
INTERVAL_S = 2.5


@dataclass
class Redis:
    """Answers a write at once and has it on disk two seconds later."""

    life: int = 0
    written_at: dict[int, float] = field(default_factory=dict)

    def lose_power(self, now_s: float) -> None:
        self.life += 1
        self.written_at = {event: at_s for event, at_s in self.written_at.items() if at_s + FSYNC_LAG_S <= now_s}


class Consumer(RuleBasedStateMachine):
    """Writes events in the broker's order; the known generation may be out of date."""

    @initialize()
    def begin(self) -> None:
        self.redis = Redis()
        self.ledger: Ledger[range] = Ledger(fsync_interval_s=INTERVAL_S)
        self.now_s = 0.0
        self.position = 0
        self.acknowledged = 0
        self.known = Generation("0")

    @rule(count=st.integers(1, 5))
    def write_a_batch(self, count: int) -> None:
        batch = range(self.position, self.position + count)
        self.redis.written_at |= dict.fromkeys(batch, self.now_s)
        self.ledger.written(batch, at_s=self.now_s, generation=self.known)
        self.position += count

    @rule(seconds=st.floats(0, 4))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def lose_power(self) -> None:
        self.redis.lose_power(self.now_s)

    @rule()
    def acknowledge(self) -> None:
        self.known = Generation(str(self.redis.life))
        match self.ledger.due(now_s=self.now_s, generation=self.known):
            case Acknowledge(marks):
                assert [mark.start for mark in marks[:1]] == [self.acknowledged] * len(marks[:1])
                self.acknowledged = marks[-1].stop if marks else self.acknowledged
            case Replay(marks):
                self.position = marks[0].start

    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        assert set(range(self.acknowledged)) <= self.redis.written_at.keys()


TestConsumer = Consumer.TestCase
