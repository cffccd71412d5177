"""The clock of the store's adapters; tests pass their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]
"""Returns Unix time in milliseconds."""


def unix_ms() -> int:
    """Return the machine's time."""
    return time.time_ns() // 1_000_000
