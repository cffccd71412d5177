"""How many may come in: a budget of handshakes per second, and room for their descriptors."""

from __future__ import annotations

import random
import resource

_RESERVED = 256
"""Descriptors kept for Redis, HTTP requests, files and whoever is just being refused."""
_OWN = 64
"""Of these, what must be free for Redis and files at any time."""
_UNLIMITED = 1_000_000
LATE_S = 0.5
"""A worker that comes to its work so much later than it meant to does not get through it."""
_PATIENCE_S = 4.0
"""How long newcomers may stand before the door: SDKs give up after five seconds, and then all of it was in vain."""


def descriptor_limit() -> int:
    """Return how many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft


def connection_limit(configured: int, descriptors: int) -> int:
    """Return how many connections a worker may hold: what is configured, but never what descriptors do not allow."""
    room = max(1, descriptors - min(_RESERVED, descriptors // 2))
    return min(configured, room) if configured else room


class Admission:
    """Lets handshakes in. Refuses early and cheaply: an accepted one costs a token check and a round trip to Redis."""

    def __init__(
        self, *, per_second: int, max_connections: int, descriptors: int, now_s: float, late_from_s: float = LATE_S
    ) -> None:
        self._per_second = per_second
        self._max_connections = max_connections
        self._late_from_s = late_from_s
        self._max_open = max(1, descriptors - min(_OWN, descriptors // 2))
        self._budget = float(per_second)
        self._refilled_s = now_s
        self.closed = False
        """Set while draining: nobody comes in any more."""
        self.late_s = 0.0
        """How late the worker's event loop was last."""
        self.came = 0
        """Connections accepted since `look`, whatever they are for."""
        self._wait_s = 0.0
        self._queued = 0
        self._looked_s = now_s
        self.elsewhere = 0
        """Connections that are open and not the gateway's, as counted last."""

    def refuse(self, *, connections: int, now_s: float) -> str | None:
        """Return None to let one more in beside `connections`, or else the reason: draining, full, busy."""
        if self.closed:
            return "draining"
        if connections >= self._max_connections:
            return "full"
        if self.late_s > self._late_from_s or self._wait_s > _PATIENCE_S:
            # Whoever came in now would wait behind the others until it is given up, and then come once more.
            return "busy"
        budget = self._budget + (now_s - self._refilled_s) * self._per_second
        self._refilled_s = now_s
        self._budget = min(float(self._per_second), budget)
        if self._budget < 1.0:
            return "busy"
        self._budget -= 1.0
        return None

    def look(self, *, queued: int, now_s: float) -> None:
        """Take note of how many stand before the door. To be called a few times a second.

        Where some stood there the last time as well, how fast they came in since tells how long the last one waits.
        """
        took_s = now_s - self._looked_s
        self._wait_s = queued * took_s / max(1, self.came) if self._queued else 0.0
        self.came, self._queued, self._looked_s = 0, queued, now_s

    def crowded(self, *, open_here: int) -> bool:
        """Say whether this many open transports of the gateway, of whatever state, are more than descriptors allow."""
        return open_here + self.elsewhere > self._max_open

    def retry_after_s(self) -> int:
        """Return when somebody who was refused may try again, spread so that they do not all come at once."""
        return random.randint(1, 5)
