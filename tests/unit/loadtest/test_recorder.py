import pytest

from loadtest.recorder import Recorder
from loadtest.stack import Cost
from loadtest.swarm.control import Report


def report(at_s: float, shard: int, *, live: int, received: int, **latencies: dict[int, int]) -> Report:
    return Report(
        at_s=at_s,
        shard=shard,
        live=live,
        away=0,
        counts={"received": received},
        errors={},
        closes={},
        latencies=dict(latencies),
        greatest_ns=dict.fromkeys(latencies, 10_000_000),
    )


def test_shards_add_up_and_one_that_is_silent_counts_as_before() -> None:
    recorder = Recorder(clock_s=lambda: 100.0)
    for each in (report(100.2, 0, live=5, received=0), report(100.3, 1, live=6, received=0)):
        recorder.report(each)
    recorder.report(report(101.2, 0, live=7, received=40))
    timeline = recorder.timeline()
    assert timeline["connections"] == [[0, 11], [1, 13]]
    assert timeline["deliveries"] == [[1, 40.0]]


def test_latencies_of_numbered_series_are_one_line_and_late_ones_are_left_out() -> None:
    recorder = Recorder(clock_s=lambda: 100.0)
    recorder.report(report(100.5, 0, live=1, received=2, **{"sale-1": {300: 1}, "sale-1-recovered": {900: 1}}))
    recorder.report(report(100.6, 0, live=1, received=3, **{"sale-2": {300: 1}}))
    (line,) = recorder.timeline()["latency"].values()
    assert [(point[0], point[3]) for point in line] == [(0, 2)]


def test_cpu_is_a_share_of_a_core_between_two_samples() -> None:
    now_s = iter((0.0, 1.0, 3.0))
    recorder = Recorder(clock_s=lambda: next(now_s))
    recorder.costs({"serve": Cost(4.0, 2**20)})
    recorder.costs({"serve": Cost(5.0, 2**21)})
    timeline = recorder.timeline()
    assert timeline["cpu"] == {"serve": [[3.0, 0.5]]}
    assert timeline["memory"] == {"serve": [[1.0, 1.0], [3.0, 2.0]]}


def test_a_mark_says_when_something_ran_even_if_it_failed() -> None:
    now_s = iter((0.0, 2.0, 5.0))
    recorder = Recorder(clock_s=lambda: next(now_s))
    with pytest.raises(ZeroDivisionError), recorder.mark("storm"):
        _ = 1 // 0
    assert recorder.timeline()["marks"] == [["storm", 2.0, 5.0]]
