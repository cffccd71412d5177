"""The pace of a provider: a token bucket that every lane takes from, and that marketing cannot empty.

What a provider takes in a second is one figure for all lanes. The last fifth of the bucket is kept for lanes that
people wait for, so that a campaign at full pace never makes "payment failed" wait for its turn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from hub.domain.errors import TransientDeliveryError
from hub.domain.notifications import Lane

_KEPT = 0.2
"""The part of the bucket that marketing leaves to the others."""
_AT_ONCE_S = 1e-6
"""Less is a rounding error."""


class Pace:
    """At most `per_second` calls in the long run and `burst` at once, in this process. 0 per second: no bound."""

    def __init__(
        self,
        per_second: float,
        *,
        burst: float | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take `burst`, one second's worth unless given, and never less than 2: one call for each side of `_KEPT`."""
        self.per_second = per_second
        self._burst = max(2.0, per_second if burst is None else burst)
        self._tokens = self._burst
        self._clock_s = clock_s
        self._sleep = sleep
        self._updated_s = clock_s()

    async def take(self, lane: Lane, *, at_most_s: float) -> None:
        """Wait for a call's turn. Raises TransientDeliveryError where it would not come within `at_most_s`."""
        if self.per_second <= 0.0:
            return
        deadline_s = self._clock_s() + at_most_s
        while (wait_s := self._wait_s(lane)) > _AT_ONCE_S:
            left_s = deadline_s - self._clock_s()
            if wait_s > left_s:
                raise TransientDeliveryError("no turn at the provider soon", retry_after_s=wait_s, provider_down=True)
            await self._sleep(wait_s)
        self._tokens -= 1.0

    def _wait_s(self, lane: Lane) -> float:
        now_s = self._clock_s()
        self._tokens = min(self._burst, self._tokens + (now_s - self._updated_s) * self.per_second)
        self._updated_s = now_s
        floor = _KEPT * self._burst if lane is Lane.MARKETING else 0.0
        return max(0.0, (1.0 + floor - self._tokens) / self.per_second)
