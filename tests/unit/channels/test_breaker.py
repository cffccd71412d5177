from channels.breaker import Breaker, BreakerPolicy

POLICY = BreakerPolicy(failures=3, rest_s=5.0, rest_max_s=15.0)


def opened(at_s: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.failures):
        breaker.begin()
        breaker.fail(at_s)
    return breaker


def test_a_few_failures_leave_it_closed() -> None:
    breaker = Breaker(POLICY)
    breaker.fail(0.0)
    breaker.fail(0.0)
    assert not breaker.is_open
    assert breaker.blocked_s(0.0) == 0.0


def test_only_failures_in_a_row_count() -> None:
    breaker = Breaker(POLICY)
    for _ in range(10):
        breaker.fail(0.0)
        breaker.succeed()
    assert not breaker.is_open


def test_enough_failures_open_it_for_its_rest() -> None:
    breaker = opened(at_s=100.0)
    assert breaker.is_open
    assert breaker.blocked_s(101.0) == 4.0
    assert breaker.blocked_s(105.0) == 0.0


def test_after_the_rest_one_call_at_a_time_finds_out() -> None:
    breaker = opened()
    breaker.begin()
    assert breaker.blocked_s(6.0) > 0.0


def test_a_success_closes_it() -> None:
    breaker = opened()
    breaker.begin()
    breaker.succeed()
    assert not breaker.is_open
    assert breaker.blocked_s(0.0) == 0.0


def test_another_failure_doubles_the_rest_up_to_its_bound() -> None:
    breaker = opened()
    for at_s, rest_s in ((5.0, 10.0), (15.0, 15.0), (30.0, 15.0)):
        breaker.begin()
        breaker.fail(at_s)
        assert breaker.blocked_s(at_s) == rest_s


def test_calls_that_began_before_it_opened_do_not_make_the_rest_longer() -> None:
    breaker = opened(at_s=100.0)
    for _ in range(50):
        breaker.fail(101.0)
    assert breaker.blocked_s(101.0) == 4.0


def test_a_call_given_up_by_us_lets_the_next_one_find_out() -> None:
    breaker = opened()
    breaker.begin()
    breaker.abandon()
    assert breaker.blocked_s(5.0) == 0.0
    assert breaker.is_open


def test_a_pause_is_no_failure() -> None:
    breaker = Breaker(POLICY)
    breaker.pause(10.0, 30.0)
    assert breaker.blocked_s(15.0) == 25.0
    assert not breaker.is_open
