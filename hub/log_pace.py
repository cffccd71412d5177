"""A log that cannot be flooded: of lines that say the same, some at once and then a few per second.

Whoever can make the hub log a line can make it log a million: a client that sends nonsense, a provider that is down. A
line that comes after others were left out says how many.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

_MAX_KINDS = 1_000
"""Lines are told apart by their fixed part, of which there are some hundred; beyond, all are forgotten once."""


class Pace:
    """Token buckets by what a line says. `burst` lines at once, `per_second` after that."""

    def __init__(
        self, *, burst: int = 50, per_second: float = 5.0, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock_s = clock_s
        self._kinds: dict[str, tuple[float, float, int]] = {}

    def admit(self, kind: str) -> int | None:
        """Return how many lines of this kind were left out since the last one, or None to leave this one out too."""
        now_s = self._clock_s()
        tokens, since_s, left_out = self._kinds.get(kind, (float(self._burst), now_s, 0))
        tokens = min(float(self._burst), tokens + (now_s - since_s) * self._per_second)
        if len(self._kinds) >= _MAX_KINDS:
            self._kinds.clear()
        if tokens < 1.0:
            self._kinds[kind] = (tokens, now_s, left_out + 1)
            return None
        self._kinds[kind] = (tokens - 1.0, now_s, 0)
        return left_out


class PacedEvents:
    """structlog processor: drops what comes too often."""

    def __init__(self, pace: Pace, *, on_drop: Callable[[], object]) -> None:
        self._pace = pace
        self._on_drop = on_drop

    def __call__(self, _: Any, method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Return the entry, with `left_out` where others were."""
        if method in {"debug", "info"}:
            return entry
        left_out = self._pace.admit(f"{entry.get('component')}.{entry.get('event')}")
        if left_out is None:
            self._on_drop()
            raise structlog.DropEvent
        if left_out:
            entry["left_out"] = left_out
        return entry


class PacedRecords(logging.Filter):
    """The same for what libraries log."""

    def __init__(self, pace: Pace, *, on_drop: Callable[[], object]) -> None:
        super().__init__()
        self._pace = pace
        self._on_drop = on_drop

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is written."""
        left_out = self._pace.admit(f"{record.name}.{record.msg}")
        if left_out is None:
            self._on_drop()
            return False
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} more like it were left out)"
            record.args = None
        return True
