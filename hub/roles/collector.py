"""Garbage collection that nobody has to wait for.

A process holds hundreds of thousands of small objects that live long (connections, subscriptions, topics), and Python's
collector would walk all of them again and again while nobody is served. Reference counting frees nearly everything
without it, so here it only looks at what is young. What survives that is frozen: taken out of the collector's sight,
which costs nothing however much it is. Where the frozen have doubled, everything is looked at after all, for they may
have become garbage later: so growth costs one such pause for each doubling, and what leaks in cycles is found.
"""

from __future__ import annotations

import asyncio
import gc

from hub.observe import logger

_YOUNG = 10_000
"""Objects that are looked at together: a few milliseconds."""
_NEVER = 1_000_000
_FREEZE_AFTER = 5
"""Looks at young objects until those that survived are frozen."""
_CHECK_S = 1.0
_COUNT_S = 3_600.0
"""From one count of the frozen objects to the next."""
_log = logger(__name__)


def calm() -> None:
    """Set the collector up, once the imports are done: what they made is never looked at."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _NEVER, _NEVER)


def freeze_old() -> bool:
    """Freeze what has survived a few looks, if anything has been looked at; return whether it was time to."""
    if gc.get_count()[1] < _FREEZE_AFTER:
        return False
    gc.freeze()
    return True


class Doubling:
    """Looks at everything when there is twice as much as after the last time."""

    def __init__(self) -> None:
        self._known = gc.get_freeze_count()

    def collect_if_due(self) -> int | None:
        """Return how many objects were garbage, None where nothing was looked at. About 1 ms for 1,000 objects."""
        if gc.get_freeze_count() < 2 * self._known:
            return None
        gc.unfreeze()
        found = gc.collect()
        gc.freeze()
        self._known = gc.get_freeze_count()
        return found


async def tend() -> None:
    """Freeze what has grown old, until cancelled."""
    loop = asyncio.get_running_loop()
    doubling = Doubling()
    count_s = loop.time() + _COUNT_S
    while True:
        await asyncio.sleep(_CHECK_S)
        began_s = loop.time()
        if freeze_old() or began_s < count_s:
            continue
        count_s = began_s + _COUNT_S
        found = doubling.collect_if_due()
        if found is not None:
            _log.info("looked_at_all_objects", garbage=found, pause_ms=round((loop.time() - began_s) * 1_000, 1))
