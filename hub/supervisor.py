"""Keeps child processes running: the gateway's workers, and all roles of a demonstration.

A child that dies is started again, at once the first time and then ever later (full-jitter backoff up to 10 s). A
signal to stop is passed on to every child; who has not ended after its grace period is killed. A child's standard
input is a pipe that closes when this process is gone, however it ended: children watch it and end too.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hub.observe import logger

_log = logger(__name__)
_BACKOFF_FIRST_S = 0.5
_BACKOFF_MAX_S = 10.0
_STEADY_S = 30.0
"""A child that has lived this long starts with a clean record."""
EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: starting again would not help."""


@dataclass(frozen=True, slots=True)
class Child:
    """One program to keep running: `python -m <module> <arguments>`."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    grace_s: float = 25.0
    module: str = "hub"
    after: asyncio.Event | None = None
    """It is not started before this is set; None: at once."""


class Supervisor:
    """Runs children until it is stopped. `run` returns 0, or the exit code of a child that cannot work."""

    def __init__(self, children: Sequence[Child], *, on_end: Callable[[int], None] | None = None) -> None:
        """Take `on_end`, which is told the process id of every child that has ended."""
        self._children = children
        self._on_end = on_end
        self._stopping = asyncio.Event()
        self._exit_code = 0
        self.pids: dict[str, int] = {}

    def stop(self) -> None:
        """Ask every child to end. Safe to call from a signal handler of the loop, and twice."""
        self._stopping.set()

    async def run(self) -> int:
        """Run all children; return when all have ended after `stop`."""
        async with asyncio.TaskGroup() as tasks:
            for child in self._children:
                tasks.create_task(self._keep(child), name=f"child-{child.name}")
        return self._exit_code

    async def _keep(self, child: Child) -> None:
        if child.after is not None:
            await self._first_of(child.after, self._stopping)
        failures = 0
        while not self._stopping.is_set():
            started_s = time.monotonic()
            code = await self._run_once(child)
            if self._on_end is not None:
                self._on_end(self.pids[child.name])
            if self._stopping.is_set():
                return
            if code == EXIT_CONFIGURATION:
                self._exit_code = code
                self.stop()
                return
            failures = 0 if time.monotonic() - started_s > _STEADY_S else failures + 1
            wait_s = 0.0 if failures <= 1 else random.uniform(0, min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2**failures))
            _log.error(
                "a child process ended; starting it again", child=child.name, exit_code=code, wait_s=round(wait_s, 2)
            )
            await self._sleep(wait_s)

    @staticmethod
    async def _first_of(*events: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _sleep(self, wait_s: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), wait_s)
        except TimeoutError:
            return

    async def _run_once(self, child: Child) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", child.module, *child.arguments),
            env=dict(child.environment),
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self.pids[child.name] = process.pid
        ended = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._end(process, child)
            return await ended
        finally:
            stopping.cancel()
            if process.returncode is None:
                process.kill()

    async def _end(self, process: asyncio.subprocess.Process, child: Child) -> None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), child.grace_s)
        except TimeoutError:
            _log.error("a child process did not end in time; killing it", child=child.name, grace_s=child.grace_s)
            process.kill()
