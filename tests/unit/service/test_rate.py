from __future__ import annotations

import pytest

from hub.service.rate import Rate, RateLimiter

RATE = Rate(count=3, window_s=6.0)
WHO = ("u-1", "orders.get")


def test_a_full_bucket_allows_the_whole_count_at_once() -> None:
    limiter = RateLimiter()
    allowed = [limiter.take(WHO, RATE, now_s=0.0).allowed for _ in range(4)]
    assert allowed == [True, True, True, False]


def test_a_refusal_says_when_the_next_call_is_let_through() -> None:
    limiter = RateLimiter()
    for _ in range(3):
        limiter.take(WHO, RATE, now_s=0.0)
    refused = limiter.take(WHO, RATE, now_s=0.5)
    assert refused.retry_after_s == pytest.approx(1.5)
    assert limiter.take(WHO, RATE, now_s=2.0).allowed


def test_callers_and_operations_do_not_share_a_bucket() -> None:
    limiter = RateLimiter()
    for _ in range(4):
        limiter.take(WHO, RATE, now_s=0.0)
    assert limiter.take(("u-2", "orders.get"), RATE, now_s=0.0).allowed
    assert limiter.take(("u-1", "inbox.list"), RATE, now_s=0.0).allowed


def test_a_bucket_never_holds_more_than_the_count() -> None:
    limiter = RateLimiter()
    limiter.take(WHO, RATE, now_s=0.0)
    assert limiter.take(WHO, RATE, now_s=1_000.0).remaining == 2


def test_a_clock_that_steps_back_takes_no_tokens_away() -> None:
    limiter = RateLimiter()
    limiter.take(WHO, RATE, now_s=10.0)
    assert limiter.take(WHO, RATE, now_s=5.0).remaining == 1


def test_the_least_recently_used_bucket_makes_room() -> None:
    limiter = RateLimiter(max_buckets=2)
    for user in ("a", "b", "a", "c"):
        limiter.take((user, "x"), RATE, now_s=0.0)
    assert limiter.take(("a", "x"), RATE, now_s=0.0).remaining == 0
    assert limiter.take(("b", "x"), RATE, now_s=0.0).remaining == 2
