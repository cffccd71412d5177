import logging

import pytest
import structlog

from hub.log_pace import Pace, PacedEvents, PacedRecords


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(burst=3, per_second=2.0, clock_s=clock)


def test_some_lines_at_once_and_then_a_few_per_second(pace: Pace, clock: Clock) -> None:
    assert [pace.admit("a") for _ in range(5)] == [0, 0, 0, None, None]
    clock.now_s = 1.0
    assert [pace.admit("a") for _ in range(3)] == [2, 0, None]


def test_a_flood_of_one_kind_leaves_the_others_alone(pace: Pace) -> None:
    for _ in range(100):
        pace.admit("flood")
    assert pace.admit("other") == 0


def test_kinds_without_end_use_no_memory_without_end(pace: Pace) -> None:
    for number in range(5_000):
        pace.admit(str(number))
    assert len(pace._kinds) <= 1_000


def test_events_say_how_many_were_left_out(pace: Pace, clock: Clock) -> None:
    dropped: list[int] = []
    paced = PacedEvents(pace, on_drop=lambda: dropped.append(1))
    for _ in range(3):
        assert "left_out" not in paced(None, "warning", {"event": "bad", "component": "x"})
    with pytest.raises(structlog.DropEvent):
        paced(None, "error", {"event": "bad", "component": "x"})
    clock.now_s = 5.0
    assert paced(None, "error", {"event": "bad", "component": "x"})["left_out"] == 1
    assert len(dropped) == 1


def test_what_is_no_warning_is_not_counted(pace: Pace) -> None:
    paced = PacedEvents(pace, on_drop=lambda: None)
    assert all(paced(None, "info", {"event": "fine"}) for _ in range(100))


def test_records_of_libraries_say_so_too(pace: Pace, clock: Clock) -> None:
    paced = PacedRecords(pace, on_drop=lambda: None)

    def record(peer: int) -> logging.LogRecord:
        return logging.LogRecord("lib", logging.ERROR, "f.py", 1, "bad request from %d", (peer,), None)

    assert [paced.filter(record(number)) for number in range(4)] == [True, True, True, False]
    clock.now_s = 5.0
    late = record(9)
    assert paced.filter(late)
    assert late.getMessage() == "bad request from 9 (1 more like it were left out)"
