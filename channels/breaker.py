"""A circuit breaker: when a provider is failing, calls to it are held back instead of being lost on it. Pure.

Closed, it counts failures in a row. Open, nothing is called until its rest is over. Then one call at a time is let
through: a success closes it, another failure opens it for twice as long.
"""

from __future__ import annotations

import msgspec


class BreakerPolicy(msgspec.Struct, frozen=True):
    """Opens after `failures` in a row, for `rest_s` seconds at first and never for more than `rest_max_s`."""

    failures: int = 5
    rest_s: float = 5.0
    rest_max_s: float = 60.0


class Breaker:
    """The state of one provider in this process. Times are monotonic seconds."""

    def __init__(self, policy: BreakerPolicy | None = None) -> None:
        self._policy = policy or BreakerPolicy()
        self._failures = 0
        self._rest_s = 0.0
        self._until_s = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether the provider counts as failing. Still so while a single call finds out whether it is back."""
        return self._rest_s > 0.0

    def blocked_s(self, now_s: float) -> float:
        """Return for how long no call may be made, 0: one may be made now."""
        if self._trying:
            return max(self._until_s - now_s, self._policy.rest_s)
        return max(0.0, self._until_s - now_s)

    def begin(self) -> None:
        """A call begins. Of an open breaker it is the one that finds out whether the provider is back."""
        self._trying = self.is_open

    def succeed(self) -> None:
        """The provider has answered as it should, be it with a refusal of the message."""
        self._failures = 0
        self._rest_s = self._until_s = 0.0
        self._trying = False

    def fail(self, now_s: float) -> None:
        """The provider has not answered, or said that it cannot.

        Calls that had begun before it opened may still fail after that: they say nothing new.
        """
        tried, self._trying = self._trying, False
        self._failures += 1
        if self.is_open and not tried:
            return
        if self.is_open or self._failures >= self._policy.failures:
            longer_s = 2.0 * self._rest_s if self.is_open else self._policy.rest_s
            self._rest_s = min(longer_s, self._policy.rest_max_s)
            self._until_s = max(self._until_s, now_s + self._rest_s)

    def pause(self, now_s: float, wait_s: float) -> None:
        """The provider asks for nothing more for `wait_s`: no failure, but no call either."""
        self._trying = False
        self._until_s = max(self._until_s, now_s + wait_s)

    def abandon(self) -> None:
        """A call that has begun was given up by us: nothing is known."""
        self._trying = False
