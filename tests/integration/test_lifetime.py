"""How a role runs and ends: with real signals, in a process of its own."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

_PROGRAM = """
import asyncio, signal, sys
from hub.domain.errors import ConfigurationError, Mistake
from hub.observe import configure_logging
from hub.roles.lifetime import run_role

async def mistaken():
    raise ConfigurationError([Mistake("settings", "kafka.ca_file", "ca.pem", "write another one")])

async def role(stopping):
    print("ready", flush=True)
    if sys.argv[1] == "mistaken":
        async with asyncio.TaskGroup() as parts, asyncio.TaskGroup() as inner:
            inner.create_task(mistaken())
    await stopping.wait()
    print("stopping", flush=True)
    if sys.argv[1] == "stuck":
        await asyncio.Event().wait()
    return 7

configure_logging()
if "nohup" in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
sys.exit(run_role(role))
"""


@dataclass
class Running:
    """A role in a process of its own."""

    process: asyncio.subprocess.Process

    async def says(self, word: str) -> None:
        assert self.process.stdout is not None
        while (await self.process.stdout.readline()).decode().strip() != word:
            assert not self.process.stdout.at_eof()

    async def ended(self) -> tuple[int, str]:
        _, errors = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()


@asynccontextmanager
async def role(*arguments: str) -> AsyncIterator[Running]:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-c", _PROGRAM, *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(30):
            running = Running(process)
            await running.says("ready")
            yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_lets_a_role_finish_and_its_exit_code_is_told(number: signal.Signals) -> None:
    async with role("prompt") as running:
        running.process.send_signal(number)
        assert (await running.ended())[0] == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_who_asks_twice_does_not_wait(number: signal.Signals) -> None:
    async with role("stuck") as running:
        running.process.send_signal(number)
        await running.says("stopping")
        running.process.send_signal(number)
        code, errors = await running.ended()
    assert code == 1
    assert "asked to stop twice" in errors
    assert "Traceback" not in errors


async def test_a_terminal_that_closes_asks_but_once_however_often_it_says_so() -> None:
    async with role("stuck") as running:
        running.process.send_signal(signal.SIGHUP)
        await running.says("stopping")
        for number in (signal.SIGHUP, signal.SIGTERM):
            running.process.send_signal(number)
        await _heard(running, times=3)
        assert running.process.returncode is None


async def test_nohup_is_respected() -> None:
    async with role("prompt", "nohup") as running:
        running.process.send_signal(signal.SIGHUP)
        running.process.send_signal(signal.SIGTERM)
        code, errors = await running.ended()
    assert code == 7
    assert ("SIGHUP" in errors, "SIGTERM" in errors) == (False, True)


async def test_a_mistake_that_shows_only_in_a_part_that_runs_is_told_like_the_others() -> None:
    async with role("mistaken") as running:
        code, errors = await running.ended()
    assert (code, errors) == (78, "settings: kafka.ca_file = ca.pem: write another one\n")


async def _heard(running: Running, *, times: int) -> None:
    """Wait until the role has logged so many signals."""
    assert running.process.stderr is not None
    seen = 0
    while seen < times:
        seen += b'"signal"' in await running.process.stderr.readline()
