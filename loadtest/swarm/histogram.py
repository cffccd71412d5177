"""Latencies as a histogram: small enough to report every half second, and histograms of processes can be added up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

_GROWTH = 1.02
"""Each bucket ends 2 % above its beginning, so a percentile is at most 2 % off."""
_PER_E = 1.0 / math.log(_GROWTH)
_UNIT_NS = 1_000
"""The first bucket is everything below a microsecond."""


class Histogram:
    """Counts of latencies by bucket, with the exact greatest one."""

    __slots__ = ("buckets", "count", "greatest_ns")

    def __init__(self, buckets: Mapping[int, int] | None = None, greatest_ns: int = 0) -> None:
        self.buckets: dict[int, int] = dict(buckets or {})
        self.count = sum(self.buckets.values())
        self.greatest_ns = greatest_ns

    def take(self, latencies_ns: Iterable[int]) -> None:
        """Count latencies."""
        buckets, log = self.buckets, math.log
        for latency_ns in latencies_ns:
            bucket = int(log(latency_ns / _UNIT_NS) * _PER_E) + 1 if latency_ns > _UNIT_NS else 0
            buckets[bucket] = buckets.get(bucket, 0) + 1
            self.count += 1
            self.greatest_ns = max(self.greatest_ns, latency_ns)

    def add(self, other: Histogram) -> None:
        """Add another one's counts."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.count += other.count
        self.greatest_ns = max(self.greatest_ns, other.greatest_ns)

    def percentile_ms(self, share: float) -> float:
        """Return the latency in milliseconds below which `share` (0-1) lie; 0 where there are none."""
        wanted, seen = share * self.count, 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                return min(_GROWTH**bucket * _UNIT_NS, self.greatest_ns) / 1e6
        return 0.0

    @property
    def greatest_ms(self) -> float:
        """The last one, in milliseconds."""
        return self.greatest_ns / 1e6
