"""Rate limits: a token bucket for each caller and operation, in this process.

A worker counts only what it serves itself. With N workers a caller who reaches all of them gets up to N times the
limit: the limit is there to keep one caller from starving the others, not to bill anybody.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """At most `count` calls in `window_s` seconds, all of which may come at once."""

    count: int
    window_s: float


class Allowance(msgspec.Struct, frozen=True):
    """What a bucket says. `reset_s` until it is full again; `retry_after_s` until the next call is let through."""

    allowed: bool
    remaining: int
    reset_s: float
    retry_after_s: float


class _Bucket:
    __slots__ = ("tokens", "updated_s")

    def __init__(self, tokens: float, updated_s: float) -> None:
        self.tokens = tokens
        self.updated_s = updated_s


class RateLimiter:
    """Buckets by name, at most `max_buckets`: the one not used for longest makes room, and later starts full."""

    def __init__(self, *, max_buckets: int = 100_000) -> None:
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._max_buckets = max_buckets

    def take(self, name: tuple[str, str], rate: Rate, *, now_s: float) -> Allowance:
        """Take one token from the bucket `(caller, operation)`, if it has one. `now_s` is monotonic."""
        bucket = self._bucket(name, rate, now_s)
        per_second = rate.count / rate.window_s
        elapsed_s = max(0.0, now_s - bucket.updated_s)
        bucket.tokens = min(float(rate.count), bucket.tokens + elapsed_s * per_second)
        bucket.updated_s = now_s
        allowed = bucket.tokens >= 1.0
        if allowed:
            bucket.tokens -= 1.0
        return Allowance(
            allowed=allowed,
            remaining=int(bucket.tokens),
            reset_s=(rate.count - bucket.tokens) / per_second,
            retry_after_s=0.0 if allowed else (1.0 - bucket.tokens) / per_second,
        )

    def _bucket(self, name: tuple[str, str], rate: Rate, now_s: float) -> _Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= self._max_buckets:
                self._buckets.popitem(last=False)
            bucket = self._buckets[name] = _Bucket(float(rate.count), now_s)
        else:
            self._buckets.move_to_end(name)
        return bucket
