import random

import pytest

from loadtest.swarm.histogram import Histogram


def of(*latencies_ms: float) -> Histogram:
    found = Histogram()
    found.take(int(each * 1e6) for each in latencies_ms)
    return found


def test_percentiles_are_within_two_percent() -> None:
    dice = random.Random(1)
    samples = sorted(dice.lognormvariate(2, 1) for _ in range(10_000))
    for share in (0.01, 0.5, 0.9, 0.99):
        assert of(*samples).percentile_ms(share) == pytest.approx(samples[int(share * 10_000) - 1], rel=0.021)


def test_the_greatest_is_exact_and_no_percentile_is_above_it() -> None:
    found = of(1, 2, 1234.5)
    assert found.greatest_ms == 1234.5
    assert found.percentile_ms(1.0) <= 1234.5


def test_histograms_add_up() -> None:
    total = of(1, 2)
    total.add(of(3, 4))
    assert (total.count, total.greatest_ms) == (4, 4)
    assert total.buckets == of(1, 2, 3, 4).buckets


def test_nothing_was_heard() -> None:
    assert (Histogram().percentile_ms(0.99), Histogram().greatest_ms) == (0, 0)
