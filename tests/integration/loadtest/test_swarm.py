"""The swarm against a real hub: every scenario, with a few clients, in seconds."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local import MissingProgramError
from loadtest import run, scenarios
from loadtest.plan import QUICK
from loadtest.report.page import page
from loadtest.swarm.control import Setup
from loadtest.swarm.swarm import Swarm, SwarmStuck
from tests.services import unavailable

ABSOLUTE = {"µs", "ms", "KB", "bytes", "%", "s"}
"""Units of budgets that a busy machine may miss: this is a test of the swarm, not of the hub's speed."""
_MEMBERS = 400
_COMINGS = 10_000
"""Connections that the members make as long as few of them miss an end."""


@pytest.mark.timeout(240)
async def test_every_scenario_runs_and_every_promise_is_kept() -> None:
    try:
        outcome = await run.run(QUICK)
    except MissingProgramError as error:
        unavailable(str(error))
    assert {figure.benchmark for figure in outcome.figures} == {each.name for each in scenarios.ALL} | {"promises"}
    missed = [figure for figure in outcome.figures if figure.verdict == "MISS" and figure.unit not in ABSOLUTE]
    assert missed == []
    timeline = outcome.record["timeline"]
    assert [mark[0] for mark in timeline["marks"]] == [each.name for each in scenarios.ALL]
    assert max(live for _, live in timeline["connections"]) == QUICK.clients
    assert "All dropped" not in page(json.loads(json.dumps(outcome.record)))


async def test_a_swarm_that_cannot_connect_says_how_far_it_got() -> None:
    setup = Setup(shard=0, shards=2, members=10, addresses=(("127.0.0.1", 1),), secret="s", report_s=0.1)
    with pytest.raises(SwarmStuck, match=r"could not connect 10 clients within 1 s; live 0, away 10"):
        async with Swarm(setup) as swarm:
            await swarm.open(0, 10, timeout_s=1.0)
    assert not any(psutil.pid_exists(pid) for pid in swarm.pids)


async def test_an_end_that_comes_along_with_data_is_seen() -> None:
    seen, often = 0, asyncio.Event()

    async def answer_and_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Pro")
        writer.close()
        seen += 1
        if seen == _COMINGS:
            often.set()

    async with await asyncio.start_server(answer_and_hang_up, "127.0.0.1") as server:
        setup = Setup(
            shard=0,
            shards=2,
            members=_MEMBERS,
            addresses=(server.sockets[0].getsockname(),),
            secret="s",
            backoff_first_s=0.001,
            backoff_max_s=0.01,
            connect_timeout_s=100.0,
        )
        async with Swarm(setup) as swarm:
            opening = asyncio.create_task(swarm.open(0, _MEMBERS, at_once=_MEMBERS, timeout_s=100.0))
            async with asyncio.timeout(30):
                await often.wait()
            opening.cancel()


@pytest.mark.timeout(120)
async def test_stopping_a_run_leaves_nothing_behind(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtest", "idle", "--plan", "quick"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert b"connect" in line
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 60) != 0
    gone, alive = await asyncio.to_thread(psutil.wait_procs, family, timeout=10)
    assert (len(gone), alive) == (len(family), [])
    assert left_in(tmp_path) == []


def left_in(folder: Path) -> list[Path]:
    """What somebody has left in a folder."""
    return list(folder.iterdir())
