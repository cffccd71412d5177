"""The pace of a provider: a token bucket that every lane takes from, and that only the critical one can empty.

What a provider takes in a second is one figure for all lanes. The last fifth of the bucket is kept for lanes that
people wait for, and the last tenth for what is critical, so that neither a campaign nor a rush of orders at full pace
makes "payment failed" wait for its turn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from hub.domain.errors import TransientDeliveryError
from hub.domain.notifications import Lane

_KEPT: Mapping[Lane, float] = {
    Lane.CRITICAL: 0.0,
    Lane.TRANSACTIONAL: 0.1,
    Lane.CONVERSATIONAL: 0.1,
    Lane.MARKETING: 0.2,
}
"""The part of the bucket that a lane leaves to those before it."""
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
        """Take `burst`, one second's worth unless given, and never less than 2: a call of any lane finds room."""
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
        kept = _KEPT[lane] * self._burst
        return max(0.0, (1.0 + kept - self._tokens) / self.per_second)
