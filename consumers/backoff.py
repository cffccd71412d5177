"""How long to wait before the next try: exponential with full jitter, so that many workers do not knock at once."""

from __future__ import annotations

import random
from collections.abc import Callable

_DOUBLINGS = 16


class Backoff:
    """A run of failed tries. Waits between a tenth of the ceiling and the ceiling, which doubles up to `max_s`."""

    def __init__(
        self, *, first_s: float, max_s: float, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._uniform = uniform
        self._tries = 0

    def next_s(self) -> float:
        """Return the seconds to wait after one more failure."""
        ceiling_s = min(self._max_s, self._first_s * 2 ** min(self._tries, _DOUBLINGS))
        self._tries += 1
        return self._uniform(ceiling_s / 10, ceiling_s)

    def reset(self) -> None:
        """Start over after a success."""
        self._tries = 0
