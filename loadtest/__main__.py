"""`python -m loadtest [WHAT ...]`: benchmarks and the swarm; prints a table, keeps JSON and a page with plots."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from loadtest import connections, pipeline, run, scenarios
from loadtest.delivery import crashes, isolation, throughput
from loadtest.delivery import run as delivery
from loadtest.measure import Figure, as_json, keep, machine, table
from loadtest.plan import PLANS, Plan
from loadtest.report.page import page
from loadtest.target import Remote

_RESULTS = Path(".local/load")
_BENCHMARKS = (connections.NAME, pipeline.NAME)
_ASKED_FOR = (throughput.NAME, crashes.NAME)
"""What is not part of everything."""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    names = [scenario.name for scenario in scenarios.ALL]
    found = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    found.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        choices=[*_BENCHMARKS, *_ASKED_FOR, run.NAME, *names, []],
        help=f"{', '.join(_BENCHMARKS)}; {run.NAME} or some of its scenarios: {', '.join(names)}; "
        f"{', '.join(_ASKED_FOR)}. None: everything but {' and '.join(_ASKED_FOR)}",
    )
    found.add_argument("--plan", choices=PLANS, default="small", help="how large the swarm's run is")
    found.add_argument("--clients", type=int, metavar="N", help="of the swarm, instead of what the plan says")
    found.add_argument("--workers", type=int, metavar="N", help="of `doorbell serve` under the swarm")
    _benchmark_options(found.add_argument_group("benchmarks"))
    _remote_options(found.add_argument_group("another server", "what the swarm runs against instead of Doorbell"))
    return found


def _benchmark_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--connections", type=int, default=5_000, metavar="N")
    group.add_argument("--events", type=int, default=60_000, metavar="N", help="in the backlog of plain publications")
    group.add_argument(
        "--rate",
        type=int,
        default=500,
        metavar="N",
        help="events a second while latency is measured; then twice that",
    )
    group.add_argument("--seconds", type=int, default=15, metavar="S", help="how long latency is measured")
    group.add_argument("--messages", type=int, default=20_000, metavar="N", help="of a kind, sent by one worker")
    group.add_argument("--jobs", type=int, default=20_000, metavar="N", help="delivered while workers are killed")
    group.add_argument("--kills", type=int, default=13, metavar="N", help="of delivery workers")
    group.add_argument("--seed", type=int, default=1, metavar="N", help="says when they fall")
    group.add_argument("--waiting", type=int, default=100_000, metavar="N", help="mails beside which texts are urgent")


def _remote_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--url", action="append", default=[], metavar="ws://…", help="of each node one")
    group.add_argument("--hmac-secret", default="", help="what connection tokens are signed with (HS256)")
    group.add_argument("--api-url", default="", metavar="http://…", help="of the HTTP API, without /publish")
    group.add_argument("--api-key", default="")
    group.add_argument("--pid", action="append", type=int, default=[], help="a process of the server, for its costs")


def main() -> int:
    """Run what is named, or everything; return 1 if a budget was missed."""
    command_line = parser()
    options = command_line.parse_args()
    try:
        plan, remote = plan_of(options), remote_of(options)
    except ValueError as error:
        command_line.error(str(error))
    try:
        figures, record = uvloop.run(_interruptible(options, plan, remote))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("stopped")
        return 130
    print(table(figures))
    file = keep(record, _RESULTS)
    shown = file.with_suffix(".html")
    shown.write_text(page(record), encoding="utf-8")
    print(f"\nKept in {file} and {shown}")
    return 1 if any(each.verdict == "MISS" for each in figures) else 0


def plan_of(options: argparse.Namespace) -> Plan:
    """Return the plan with what the command line changes. Raises ValueError where that does not go together."""
    changes = {name: getattr(options, name) for name in ("clients", "workers") if getattr(options, name)}
    return replace(PLANS[options.plan], **changes)


def remote_of(options: argparse.Namespace) -> Remote | None:
    """Return the server that is named, None for one of our own. Raises ValueError where something is missing."""
    if not options.url:
        return None
    if not (options.hmac_secret and options.api_url):
        raise ValueError("--url needs --hmac-secret and --api-url: how to sign tokens, and where to publish")
    return Remote(tuple(options.url), options.hmac_secret, options.api_url, options.api_key, pids=tuple(options.pid))


async def _interruptible(
    options: argparse.Namespace, plan: Plan, remote: Remote | None
) -> tuple[list[Figure], dict[str, Any]]:
    """Run, and be stopped in order by SIGTERM as by Ctrl-C."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await _everything(options, plan, remote)


async def _everything(
    options: argparse.Namespace, plan: Plan, remote: Remote | None
) -> tuple[list[Figure], dict[str, Any]]:
    names = [name for name in options.what if name not in {*_BENCHMARKS, *_ASKED_FOR, run.NAME}]
    wanted = options.what or ([run.NAME] if remote else [*_BENCHMARKS, run.NAME])
    figures: list[Figure] = []
    record: dict[str, Any] = {"machine": machine(), "timeline": {}}
    if connections.NAME in wanted:
        figures += await connections.measure(options.connections)
    if pipeline.NAME in wanted:
        figures += await pipeline.measure(options.events, rate=options.rate, seconds=options.seconds)
    if throughput.NAME in wanted:
        load = isolation.Load(mails=options.waiting, seconds=options.seconds)
        figures += await delivery.measure(options.messages, load=load)
    if crashes.NAME in wanted:
        figures += await crashes.measure(crashes.Load(options.jobs, options.kills, seed=options.seed))
    if names or run.NAME in wanted:
        outcome = await run.run(plan, remote=remote, names=names)
        figures += outcome.figures
        record = outcome.record
    return figures, {**record, "figures": as_json(figures)}


if __name__ == "__main__":
    sys.exit(main())
