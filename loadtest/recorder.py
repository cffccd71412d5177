"""What happened during a run, second by second: for the plots of the report."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from loadtest.stack import Cost
from loadtest.swarm.control import Report
from loadtest.swarm.histogram import Histogram
from loadtest.swarm.member import RECOVERED

_SAMPLE_S = 1.0
_NUMBERED = re.compile(r"-\d+$")
Point = tuple[float, ...]


@dataclass(slots=True)
class Mark:
    """When a scenario ran, in seconds since the start of the run."""

    name: str
    from_s: float
    until_s: float


class Recorder:
    """Collects reports of the swarm and costs of processes. Times are seconds since its construction."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._began_s = clock_s()
        self._live: dict[int, dict[int, int]] = defaultdict(dict)
        self._received: dict[int, dict[int, int]] = defaultdict(dict)
        self._latencies: dict[str, dict[int, Histogram]] = defaultdict(lambda: defaultdict(Histogram))
        self._costs: dict[str, list[tuple[float, Cost]]] = defaultdict(list)
        self.marks: list[Mark] = []

    def now_s(self) -> float:
        """Return the time since the start."""
        return self._clock_s() - self._began_s

    def report(self, report: Report) -> None:
        """Take a shard's report."""
        second = int(report.at_s - self._began_s)
        self._live[second][report.shard] = report.live
        self._received[second][report.shard] = report.counts["received"]
        for series, buckets in report.latencies.items():
            if not series.endswith(RECOVERED):
                family = _NUMBERED.sub("", series)
                self._latencies[family][second].add(Histogram(buckets, report.greatest_ns[series]))

    def costs(self, costs: Mapping[str, Cost]) -> None:
        """Take a sample of what processes have used so far."""
        now_s = self.now_s()
        for name, cost in costs.items():
            self._costs[name].append((now_s, cost))

    async def sample(self, costs: Callable[[], Mapping[str, Cost]]) -> None:
        """Take a sample every second until cancelled."""
        while True:
            self.costs(costs())
            await asyncio.sleep(_SAMPLE_S)

    @contextmanager
    def mark(self, name: str) -> Iterator[None]:
        """Note when something begins and ends."""
        began_s = self.now_s()
        try:
            yield
        finally:
            self.marks.append(Mark(name, began_s, self.now_s()))

    def timeline(self) -> dict[str, Any]:
        """Return everything as plain values: lists of [second, value, …] by name."""
        return {
            "marks": [[mark.name, round(mark.from_s, 1), round(mark.until_s, 1)] for mark in self.marks],
            "connections": _summed(self._live),
            "deliveries": _rates(_summed(self._received)),
            "latency": {
                family: [
                    [second, *(round(histogram.percentile_ms(share), 2) for share in (0.5, 0.99)), histogram.count]
                    for second, histogram in sorted(seconds.items())
                ]
                for family, seconds in self._latencies.items()
            },
            "cpu": {name: _shares(samples) for name, samples in self._costs.items()},
            "memory": {
                name: [[round(at_s, 1), round(cost.resident_bytes / 2**20, 1)] for at_s, cost in samples]
                for name, samples in self._costs.items()
            },
        }


def _summed(by_second: Mapping[int, Mapping[int, int]]) -> list[list[float]]:
    """Add up the shards; one that has not reported in a second counts as in the second before."""
    latest: dict[int, int] = {}
    points: list[list[float]] = []
    for second, shards in sorted(by_second.items()):
        latest |= shards
        points.append([second, sum(latest.values())])
    return points


def _rates(points: list[list[float]]) -> list[list[float]]:
    """Return how much a count grows per second."""
    pairs = pairwise(points)
    return [[at_s, round((count - before) / (at_s - before_s), 1)] for (before_s, before), (at_s, count) in pairs]


def _shares(samples: list[tuple[float, Cost]]) -> list[list[float]]:
    """Return CPU use between samples as a share of one core, 0-1."""
    pairs = pairwise(samples)
    return [
        [round(at_s, 1), round((cost.cpu_s - before.cpu_s) / (at_s - before_s), 3)]
        for (before_s, before), (at_s, cost) in pairs
        if at_s > before_s
    ]
