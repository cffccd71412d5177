"""What a worker counts: plain integers in the hot loops, added to the metrics once a second."""

from __future__ import annotations

import random
from collections import Counter

from hub import observe

_SAMPLES = 500
"""Durations kept per second and histogram; beyond, each has the same chance to stay."""


class Durations:
    """A bounded sample of durations in seconds."""

    __slots__ = ("_kept", "_seen")

    def __init__(self) -> None:
        self._kept: list[float] = []
        self._seen = 0

    def add(self, seconds: float) -> None:
        """Note one duration."""
        self._seen += 1
        if len(self._kept) < _SAMPLES:
            self._kept.append(seconds)
        elif (at := random.randrange(self._seen)) < _SAMPLES:
            self._kept[at] = seconds

    def take(self) -> list[float]:
        """Return the sample and begin a new one."""
        kept, self._kept, self._seen = self._kept, [], 0
        return kept


class Tally:
    """The counts of one worker since the last flush."""

    __slots__ = ("accepted", "disconnected", "event_to_socket", "fan_out", "gaps", "live", "recovered")

    def __init__(self) -> None:
        self.live = 0
        self.recovered = 0
        self.accepted: Counter[str] = Counter()
        self.disconnected: Counter[int] = Counter()
        self.gaps: Counter[str] = Counter()
        self.fan_out = Durations()
        self.event_to_socket = Durations()

    def flush(self, *, sockets: int, streams: int, subscriptions: int) -> None:
        """Add everything to the metrics and begin anew."""
        observe.CONNECTIONS.labels(transport="websocket").set(sockets)
        observe.CONNECTIONS.labels(transport="sse").set(streams)
        observe.SUBSCRIPTIONS.set(subscriptions)
        observe.SOCKET_DELIVERIES.labels(how="live").inc(self.live)
        observe.SOCKET_DELIVERIES.labels(how="recovered").inc(self.recovered)
        self.live = self.recovered = 0
        for outcome, count in self.accepted.items():
            observe.ACCEPTED.labels(outcome=outcome).inc(count)
        for code, count in self.disconnected.items():
            observe.DISCONNECTED.labels(code=str(code)).inc(count)
        for found_by, count in self.gaps.items():
            observe.GAPS.labels(found_by=found_by).inc(count)
        for counter in (self.accepted, self.disconnected, self.gaps):
            counter.clear()
        for seconds in self.fan_out.take():
            observe.FANOUT_SECONDS.observe(seconds)
        for seconds in self.event_to_socket.take():
            observe.EVENT_TO_SOCKET_SECONDS.observe(seconds)
