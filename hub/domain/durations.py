"""Durations as people write them in the playbook: `60s`, `15m`, `2h`, `1d`."""

from __future__ import annotations

import re

_SHAPE = re.compile(r"(?P<count>[0-9]{1,7})(?P<unit>[smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_DURATION_S = 366 * 86_400


def parse_duration(text: str) -> int:
    """Return a duration in seconds. Raises ValueError, whose message says what to write."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError("write a whole number and a unit: 60s, 15m, 2h or 1d")
    seconds = int(found["count"]) * _SECONDS[found["unit"]]
    if seconds > MAX_DURATION_S:
        raise ValueError("at most 366d")
    return seconds


def format_duration(seconds: float) -> str:
    """Return a duration in the largest unit that divides it: 90 → `90s`, 7200 → `2h`."""
    whole = int(seconds)
    for unit in ("d", "h", "m"):
        if whole and whole % _SECONDS[unit] == 0:
            return f"{whole // _SECONDS[unit]}{unit}"
    return f"{whole}s"
