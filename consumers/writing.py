"""Waiting for the task that writes a batch."""

from __future__ import annotations

import asyncio

from consumers.ports import Generation

Writing = asyncio.Task[Generation]


async def first_of(writing: Writing, stopping: asyncio.Event, *, timeout_s: float) -> None:
    """Return when the batch is written, a stop is asked for, or the time is over."""
    stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((writing, stop), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()


async def ended(writing: Writing) -> None:
    """Cancel the task if it still runs, and wait for its end; its outcome is for the caller to look at."""
    writing.cancel()
    await asyncio.wait((writing,))
