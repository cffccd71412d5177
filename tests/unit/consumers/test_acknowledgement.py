import pytest

from consumers.acknowledgement import Acknowledge, Ledger, Replay
from consumers.ports import Generation

FIRST, SECOND = Generation("first"), Generation("second")


@pytest.fixture
def ledger() -> Ledger[str]:
    return Ledger(fsync_interval_s=2.5)


def test_nothing_is_due_when_nothing_was_written(ledger: Ledger[str]) -> None:
    assert ledger.due(now_s=100, generation=FIRST) == Acknowledge(())


def test_a_write_is_not_acknowledged_before_the_fsync_interval(ledger: Ledger[str]) -> None:
    ledger.written("a", at_s=10, generation=FIRST)
    assert ledger.due(now_s=12.49, generation=FIRST) == Acknowledge(())
    assert len(ledger) == 1


def test_a_write_is_acknowledged_once_when_the_interval_is_over(ledger: Ledger[str]) -> None:
    ledger.written("a", at_s=10, generation=FIRST)
    assert ledger.due(now_s=12.5, generation=FIRST) == Acknowledge(("a",))
    assert ledger.due(now_s=13, generation=FIRST) == Acknowledge(())


def test_only_what_is_old_enough_is_acknowledged_in_the_order_of_the_writes(ledger: Ledger[str]) -> None:
    for at_s, mark in enumerate("abcd"):
        ledger.written(mark, at_s=at_s, generation=FIRST)
    assert ledger.due(now_s=3.5, generation=FIRST) == Acknowledge(("a", "b"))
    assert ledger.due(now_s=99, generation=FIRST) == Acknowledge(("c", "d"))


def test_a_changed_generation_replays_everything_however_old(ledger: Ledger[str]) -> None:
    ledger.written("a", at_s=0, generation=FIRST)
    ledger.written("b", at_s=99, generation=FIRST)
    assert ledger.due(now_s=100, generation=SECOND) == Replay(("a", "b"))
    assert len(ledger) == 0


def test_later_writes_of_the_present_generation_are_replayed_with_the_earlier_ones(ledger: Ledger[str]) -> None:
    ledger.written("a", at_s=0, generation=FIRST)
    ledger.written("b", at_s=1, generation=SECOND)
    assert ledger.due(now_s=100, generation=SECOND) == Replay(("a", "b"))


def test_after_a_replay_the_same_work_is_acknowledged_under_the_new_generation(ledger: Ledger[str]) -> None:
    ledger.written("a", at_s=0, generation=FIRST)
    ledger.due(now_s=1, generation=SECOND)
    ledger.written("a", at_s=2, generation=SECOND)
    assert ledger.due(now_s=4.5, generation=SECOND) == Acknowledge(("a",))


def test_what_was_acknowledged_before_the_generation_changed_is_not_replayed(ledger: Ledger[str]) -> None:
    ledger.written("a", at_s=0, generation=FIRST)
    ledger.written("b", at_s=2, generation=FIRST)
    ledger.due(now_s=3, generation=FIRST)
    assert ledger.due(now_s=3.1, generation=SECOND) == Replay(("b",))


def test_clear_forgets_all_and_says_what_it_was(ledger: Ledger[str]) -> None:
    ledger.written("a", at_s=0, generation=FIRST)
    assert ledger.clear() == ("a",)
    assert ledger.due(now_s=100, generation=SECOND) == Acknowledge(())
