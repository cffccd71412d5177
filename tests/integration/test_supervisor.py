"""The supervisor keeps real processes running."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hub.supervisor import EXIT_CONFIGURATION, Child, Supervisor

_PATIENCE_S = 60.0


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str, str], Child]:
    """Make a child that runs the given Python source as a module of its own."""

    def make(name: str, source: str) -> Child:
        (tmp_path / f"child_{name}.py").write_text(source)
        return Child(name, (), {**os.environ, "PYTHONPATH": str(tmp_path)}, grace_s=1.0, module=f"child_{name}")

    return make


PATIENT = "import time\ntime.sleep(60)\n"
DEAF = """
import pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(__file__).with_suffix(".deaf").touch()
time.sleep(60)
"""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(*children: Child) -> AsyncIterator[tuple[Supervisor, Awaitable[int]]]:
    supervisor = Supervisor(children)
    task = asyncio.create_task(supervisor.run())
    try:
        await until(lambda: len(supervisor.pids) == len(children) or task.done())
        yield supervisor, task
    finally:
        supervisor.stop()
        await task


async def test_a_child_that_is_killed_is_started_again(program: Callable[[str, str], Child]) -> None:
    async with running(program("patient", PATIENT)) as (supervisor, _):
        first = supervisor.pids["patient"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: supervisor.pids["patient"] != first)
        assert psutil.pid_exists(supervisor.pids["patient"])


async def test_a_child_that_waits_for_something_is_started_when_it_has_come(
    program: Callable[[str, str], Child],
) -> None:
    come = asyncio.Event()
    late = replace(program("late", PATIENT), after=come)
    supervisor = Supervisor([program("first", PATIENT), late])
    task = asyncio.create_task(supervisor.run())
    await until(lambda: "first" in supervisor.pids)
    assert "late" not in supervisor.pids
    come.set()
    await until(lambda: "late" in supervisor.pids)
    supervisor.stop()
    assert await task == 0


async def test_a_child_that_still_waits_is_not_started_by_stopping(program: Callable[[str, str], Child]) -> None:
    supervisor = Supervisor([replace(program("late", PATIENT), after=asyncio.Event())])
    task = asyncio.create_task(supervisor.run())
    supervisor.stop()
    assert await task == 0
    assert supervisor.pids == {}


async def test_stopping_ends_every_child(program: Callable[[str, str], Child]) -> None:
    async with running(program("one", PATIENT), program("two", PATIENT)) as (supervisor, ended):
        pids = list(supervisor.pids.values())
        supervisor.stop()
        assert await ended == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_a_child_that_does_not_listen_is_killed_after_its_grace(
    program: Callable[[str, str], Child], tmp_path: Path
) -> None:
    async with running(program("deaf", DEAF)) as (supervisor, ended):
        await until((tmp_path / "child_deaf.deaf").exists)
        supervisor.stop()
        await ended
    assert not psutil.pid_exists(supervisor.pids["deaf"])


async def test_a_child_that_cannot_work_ends_all_and_its_code_is_told(program: Callable[[str, str], Child]) -> None:
    confused = program("confused", f"raise SystemExit({EXIT_CONFIGURATION})\n")
    supervisor = Supervisor([confused, program("patient", PATIENT)])
    assert await asyncio.wait_for(supervisor.run(), _PATIENCE_S) == EXIT_CONFIGURATION


async def test_who_ended_is_told(program: Callable[[str, str], Child]) -> None:
    told: list[int] = []
    supervisor = Supervisor([program("brief", "")], on_end=told.append)
    task = asyncio.create_task(supervisor.run())
    await until(lambda: len(told) > 1)
    supervisor.stop()
    await task
    assert len(set(told)) > 1


async def test_children_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "DOORBELL_DATA_DIR": str(tmp_path), "DOORBELL_LISTEN": "127.0.0.1:0"}
    environment |= {"DOORBELL_WORKERS": "2", "DOORBELL_TOKEN__HMAC_SECRET": "s" * 32}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "serve", env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    process = psutil.Process(parent.pid)
    try:
        await until(lambda: len(_workers_of(process)) == 2)
    finally:
        workers, servers = _workers_of(process), [child for child in process.children() if _runs(child, "redis-server")]
        parent.kill()
        await parent.wait()
        # Its private Redis outlives a murdered parent: the next one on this folder finds it, or starts its own.
        for server in servers:
            server.terminate()
    await until(lambda: not any(_runs(worker, "--supervised") for worker in workers))


def _workers_of(parent: psutil.Process) -> list[psutil.Process]:
    return [child for child in parent.children() if _runs(child, "--supervised")]


def _runs(process: psutil.Process, word: str) -> bool:
    """Whether it is there, and has this in its command line: one that has ended has none."""
    try:
        return any(word in part for part in process.cmdline())
    except psutil.NoSuchProcess:
        return False
