"""The Autobahn test suite's cases, run by `kosoku` (the suite itself needs Python 2), and a table of the verdicts.

Groups 1-7, 9 and 10: framing, pings, reserved bits, opcodes, fragmentation, UTF-8, closing, limits, chopped frames.
Groups 12 and 13 are about compression, which is not offered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import kosoku
from websockets.asyncio.server import ServerConnection, serve

GROUPS = {
    "1": "Framing",
    "2": "Pings and pongs",
    "3": "Reserved bits",
    "4": "Opcodes",
    "5": "Fragmentation",
    "6": "UTF-8",
    "7": "Closing",
    "9": "Limits and performance",
    "10": "Autofragmentation",
}
_CASES = tuple([f"{group}.*" for group in GROUPS])
_AT_ONCE = 4
_LARGEST = 17 * 1_048_576


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one case: `OK`, `NON-STRICT`, `INFORMATIONAL`, or what went wrong."""

    case: str
    outcome: str
    passed: bool

    @property
    def group(self) -> str:
        """The first part of the case's number."""
        return self.case.partition(".")[0]


async def verdicts_of(url: str, cases: Sequence[str] = _CASES) -> list[Verdict]:
    """Run the cases against an echo server."""
    try:
        results = await kosoku.run_fuzzingclient(url, cases=cases, concurrency=_AT_ONCE)
    except kosoku.FailureError as error:
        results = error.results
    return [Verdict(each.case_id, each.behavior.value, each.passed) for each in results]


@asynccontextmanager
async def librarys_echo_server() -> AsyncIterator[str]:
    """The server of the `websockets` library, for comparison."""

    async def echo(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async with serve(echo, "127.0.0.1", 0, compression=None, max_size=_LARGEST) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


def table(by_server: Mapping[str, Sequence[Verdict]]) -> str:
    """Return the verdicts as a Markdown table: a row for each group, a column for each server."""
    rows = ["| group | cases | " + " | ".join(by_server) + " |", "|---" * (2 + len(by_server)) + "|"]
    for group, title in GROUPS.items():
        mine = {server: [each for each in found if each.group == group] for server, found in by_server.items()}
        cases = max(map(len, mine.values()))
        rows.append(f"| {group} {title} | {cases} | " + " | ".join(map(_summary, mine.values())) + " |")
    cases = max(map(len, by_server.values()))
    rows.append(f"| all | {cases} | " + " | ".join(map(_summary, by_server.values())) + " |")
    return "\n".join(rows)


def _summary(verdicts: Sequence[Verdict]) -> str:
    counts = Counter("failed" if not each.passed else each.outcome.lower() for each in verdicts)
    failed = [each.case for each in verdicts if not each.passed]
    parts = [f"{count} {outcome}" for outcome, count in sorted(counts.items(), key=lambda item: -item[1])]
    return ", ".join(parts) + (f" ({', '.join(failed)})" if failed else "")
