"""The latest mishaps of deliveries in this process: what an operator looks at first."""

from __future__ import annotations

from collections import deque

from hub.domain.notifications import Job
from hub.store.delivery_workers import Mishap

MISHAPS_MAX = 50
_WORDS = frozenset({"refused", "failed", "unknown", "buried"})
"""The outcomes that are mishaps: the others say that all is well, or that a provider is left alone for now."""


class Mishaps:
    """The newest, up to `most`; older ones are in the log and in the records of their notifications."""

    def __init__(self, *, most: int = MISHAPS_MAX) -> None:
        self._latest: deque[Mishap] = deque(maxlen=most)

    def note(self, job: Job, outcome: str, reason: str, *, tries: int, at_ms: int) -> None:
        """Note what became of a step, if it is a mishap. `reason` holds no contact."""
        if outcome not in _WORDS:
            return
        notification = job.notification
        self._latest.append(
            Mishap(
                at_ms=at_ms,
                user=notification.user,
                notification=notification.id,
                event_type=notification.event_type,
                channel=job.channel,
                lane=notification.lane,
                outcome=outcome,
                reason=reason,
                tries=tries,
            )
        )

    @property
    def latest(self) -> tuple[Mishap, ...]:
        """The kept ones, the newest first."""
        return tuple(reversed(self._latest))
