"""The times that a worker goes by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Both in seconds."""

    now_s: Callable[[], float] = time.monotonic
    """Never goes back: what the wheel runs on."""
    unix_s: Callable[[], float] = time.time
    """What the ends of tokens are given in."""


MACHINE_CLOCK = Clock()
"""What everybody goes by, except for tests that cannot wait."""
