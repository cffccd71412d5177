"""The pace of mails to one domain: big mailbox providers slow down, and then refuse, who sends too much at once.

A mail whose turn would not come within seconds goes back into the queue instead of holding a place of the worker that
mails to other domains could use. Those sent back get times that lie apart by the pace, so that each comes back about
once: behind those of its own lane and of the lanes before it, and never behind a campaign.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping

from channels.pace import Pace
from hub.domain.errors import TransientDeliveryError
from hub.domain.notifications import Lane

_LANES = (Lane.CRITICAL, Lane.TRANSACTIONAL, Lane.CONVERSATIONAL, Lane.MARKETING)
"""In the order in which they go before each other."""
TURN_S = 1.0
"""How long a mail waits in the worker for its domain's turn."""
_DOMAINS_MAX = 10_000
"""Domains remembered; the one used longest ago is forgotten, whose bucket is full again by then."""


class DomainPaces:
    """At most so many mails a second to each domain, in this process. A bound of 0: none."""

    def __init__(
        self,
        per_second: float,
        by_domain: Mapping[str, float],
        *,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take the bound for every domain, and those of some in its place."""
        self._per_second = per_second
        self._by_domain = {domain.lower(): bound for domain, bound in by_domain.items()}
        self._clock_s = clock_s
        self._sleep = sleep
        self._known: OrderedDict[str, _Domain] = OrderedDict()

    async def take(self, mailbox: str, lane: Lane) -> None:
        """Wait for a mail's turn. Raises TransientDeliveryError, with the time to come back, where that is not soon."""
        name = mailbox.rpartition("@")[2].lower()
        bound = self._by_domain.get(name, self._per_second)
        if bound <= 0.0:
            return
        domain = self._domain(name, bound)
        try:
            await domain.pace.take(lane, at_most_s=TURN_S)
        except TransientDeliveryError as error:
            later_s = domain.later_s(lane, self._clock_s(), at_least_s=error.retry_after_s or TURN_S)
            raise TransientDeliveryError(f"{name} has had its mails for now", later_s, provider_down=True) from error

    def _domain(self, name: str, bound: float) -> _Domain:
        domain = self._known.pop(name, None) or _Domain(bound, self._clock_s, self._sleep)
        self._known[name] = domain
        if len(self._known) > _DOMAINS_MAX:
            self._known.popitem(last=False)
        return domain


class _Domain:
    """One domain's bucket, and for each lane when the next of its mails that has to come back may."""

    __slots__ = ("_free_s", "_gap_s", "pace")

    def __init__(
        self, per_second: float, clock_s: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self.pace = Pace(per_second, clock_s=clock_s, sleep=sleep)
        self._gap_s = 1.0 / per_second
        self._free_s = dict.fromkeys(_LANES, 0.0)

    def later_s(self, lane: Lane, now_s: float, *, at_least_s: float) -> float:
        before_or_same = _LANES[: _LANES.index(lane) + 1]
        at_s = max(now_s + at_least_s, *(self._free_s[each] for each in before_or_same))
        self._free_s[lane] = at_s + self._gap_s
        return at_s - now_s
