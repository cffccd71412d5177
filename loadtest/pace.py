"""Doing something at a steady rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

_TICK_S = 0.001


async def at_rate(
    act: Callable[[range], Awaitable[object]], *, per_s: float, seconds: float, tick_s: float = _TICK_S
) -> int:
    """Call `act` with the numbers that are due, once in a tick at most, for `seconds`; return how many there were.

    What a slow call holds up is made up for in the next: the rate is kept.
    """
    began_s = time.monotonic()
    total, done = int(per_s * seconds), 0
    while done < total:
        due = min(total, int((time.monotonic() - began_s) * per_s) + 1)
        if due > done:
            await act(range(done, due))
            done = due
        await asyncio.sleep(max(tick_s, began_s + (done + 1) / per_s - time.monotonic()))
    return done
