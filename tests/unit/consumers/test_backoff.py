from consumers.backoff import Backoff


def highest(_low: float, high: float) -> float:
    return high


def lowest(low: float, _high: float) -> float:
    return low


def test_the_ceiling_doubles_up_to_the_maximum() -> None:
    backoff = Backoff(first_s=0.5, max_s=3, uniform=highest)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1, 2, 3, 3]


def test_it_never_knocks_again_at_once() -> None:
    assert Backoff(first_s=0.5, max_s=3, uniform=lowest).next_s() == 0.05


def test_a_success_starts_over() -> None:
    backoff = Backoff(first_s=0.5, max_s=3, uniform=highest)
    backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_a_thousand_failures_do_not_overflow() -> None:
    backoff = Backoff(first_s=0.5, max_s=10, uniform=highest)
    assert [backoff.next_s() for _ in range(1000)][-1] == 10
