import pytest

from channels.backoff import RETRY_AFTER_MAX_S, Backoff

BACKOFF = Backoff(first_s=2.0, max_s=60.0)


@pytest.mark.parametrize(("tries", "longest_s"), [(0, 2.0), (1, 2.0), (2, 4.0), (5, 32.0), (6, 60.0), (10_000, 60.0)])
def test_waits_double_up_to_a_bound(tries: int, longest_s: float) -> None:
    assert BACKOFF.wait_s(tries, jitter=1.0) == longest_s


def test_jitter_is_full() -> None:
    assert BACKOFF.wait_s(3, jitter=0.0) == 0.0
    assert BACKOFF.wait_s(3, jitter=0.5) == 4.0


def test_a_providers_wish_is_honoured_and_spread() -> None:
    assert BACKOFF.wait_s(1, jitter=0.0, retry_after_s=30.0) == 30.0
    assert BACKOFF.wait_s(1, jitter=1.0, retry_after_s=30.0) == 33.0


@pytest.mark.parametrize("retry_after_s", [-5.0, 1e12])
def test_an_absurd_wish_is_bounded(retry_after_s: float) -> None:
    assert 0.0 <= BACKOFF.wait_s(1, jitter=0.0, retry_after_s=retry_after_s) <= RETRY_AFTER_MAX_S
