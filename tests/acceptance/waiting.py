"""Waiting for a condition, never for luck."""

import asyncio
import time
from collections.abc import Awaitable, Callable

_POLL_S = 0.05


async def until(condition: Callable[[], object], *, timeout_s: float, what: str | Callable[[], str]) -> float:
    """Return the seconds it took for `condition()` to hold; fail with `what` was waited for."""
    began_s = time.monotonic()
    while not condition():
        if time.monotonic() - began_s > timeout_s:
            raise AssertionError(f"not within {timeout_s:g} s: {what() if callable(what) else what}")
        await asyncio.sleep(_POLL_S)
    return time.monotonic() - began_s


async def until_true(condition: Callable[[], Awaitable[object]], *, timeout_s: float, what: str) -> float:
    """As `until`, with a condition that has to ask somebody."""
    began_s = time.monotonic()
    while not await condition():
        if time.monotonic() - began_s > timeout_s:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        await asyncio.sleep(_POLL_S)
    return time.monotonic() - began_s
