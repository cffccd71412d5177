"""The swarm: starts its shards, gives them orders, and adds up what they report."""

from __future__ import annotations

import asyncio
import math
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import msgspec

from loadtest.swarm.control import Churn, Drop, Leave, Open, Order, Publish, Report, Setup, Subscribe
from loadtest.swarm.histogram import Histogram
from loadtest.swarm.ledger import Tally

_SPARE_DESCRIPTORS = 200
_LINE_BYTES = 1 << 22
_STOP_S = 10.0
_SETTLED_S = 0.25


class SwarmStuck(RuntimeError):
    """What was waited for did not come about in time; the message says how far it got."""


def shards_for(members: int) -> int:
    """Return how many processes it takes to hold `members` connections with this descriptor limit: two at least."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(2, math.ceil(members / max(1, soft - _SPARE_DESCRIPTORS)))


class Swarm:
    """Members that connect, and what they have seen so far. Use it as `async with`: leaving ends all connections."""

    def __init__(self, setup: Setup, *, on_report: Callable[[Report], None] | None = None) -> None:
        """Take the setup of shard 0; the others get theirs from it. `on_report` is given every report."""
        self.setup = setup
        self.pids: list[int] = []
        self._on_report = on_report
        self._processes: list[asyncio.subprocess.Process] = []
        self._readers: list[asyncio.Task[None]] = []
        self._latest: dict[int, Report] = {}
        self._series: dict[str, Histogram] = defaultdict(Histogram)
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        try:
            for shard in range(self.setup.shards):
                await self._start(msgspec.structs.replace(self.setup, shard=shard))
            await self.until(lambda: len(self._latest) == self.setup.shards, timeout_s=60.0, what="start")
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self, setup: Setup) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loadtest.swarm.shard"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            # Linux shares out a busy machine by session: in ours, all shards together would get what one worker gets.
            start_new_session=True,
        )
        self._processes.append(process)
        self.pids.append(process.pid)
        self._write(process, msgspec.json.encode(setup))
        self._readers.append(asyncio.create_task(self._read(process)))

    async def _stop(self) -> None:
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes:
            try:
                await asyncio.wait_for(process.wait(), _STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        await asyncio.gather(*self._readers, return_exceptions=True)

    @staticmethod
    def _write(process: asyncio.subprocess.Process, line: bytes) -> None:
        if process.stdin is not None:
            process.stdin.write(line + b"\n")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        stream = process.stdout
        while stream is not None and (line := await stream.readline()):
            report = msgspec.json.decode(line, type=Report)
            self._latest[report.shard] = report
            for series, buckets in report.latencies.items():
                self._series[series].add(Histogram(buckets, report.greatest_ns[series]))
            if self._on_report is not None:
                self._on_report(report)
            async with self._news:
                self._news.notify_all()

    # Orders

    def _tell(self, order: Order) -> None:
        line = msgspec.json.encode(order)
        for process in self._processes:
            self._write(process, line)

    async def open(self, first: int, until: int, *, at_once: int = 192, timeout_s: float) -> None:
        """Connect a range of members, `at_once` under way at a time; return when all are live."""
        target = self.live + until - first
        self._tell(Open(first, until, max(1, at_once // self.setup.shards)))
        await self.until(lambda: self.live >= target, timeout_s=timeout_s, what=f"connect {until - first:,} clients")

    async def subscribe(self, topics: Sequence[tuple[str, Sequence[int]]], *, timeout_s: float = 30.0) -> None:
        """Subscribe members to topics; return when all are."""
        self._tell(Subscribe(tuple((topic, tuple(members)) for topic, members in topics)))
        # The order is carried out before the next report but one.
        await self._reports(2)
        await self.all_live(timeout_s=timeout_s, what="subscribe")

    def publish(self, messages: Sequence[tuple[int, str, bytes]]) -> None:
        """Have members publish: (member, topic, JSON)."""
        self._tell(Publish(tuple((member, topic, data.decode()) for member, topic, data in messages)))

    def drop(self, first: int, until: int) -> None:
        """Lose the connections of a range of members, as a network does."""
        self._tell(Drop(first, until))

    async def leave(self, first: int, until: int, *, timeout_s: float) -> None:
        """Have a range of members say goodbye; return when they have gone."""
        self._tell(Leave(first, until))
        await self._reports(2)
        await self.until(lambda: self.live <= self.setup.members - (until - first), timeout_s=timeout_s, what="leave")

    async def churn(self, first: int, until: int, *, cycles: int, timeout_s: float) -> None:
        """Have a range of members connect and leave, `cycles` times in all; return after the last."""
        target = self.cycles + cycles
        self._tell(Churn(first, until, cycles))
        await self.until(lambda: self.cycles >= target, timeout_s=timeout_s, what=f"connect and leave {cycles:,} times")

    # What they have seen

    @property
    def live(self) -> int:
        """How many members are connected and subscribed."""
        return sum(report.live for report in self._latest.values())

    @property
    def away(self) -> int:
        """How many members want to be connected and are not."""
        return sum(report.away for report in self._latest.values())

    @property
    def cycles(self) -> int:
        """How often members have connected and left in churn."""
        return sum(report.cycles for report in self._latest.values())

    @property
    def tally(self) -> Tally:
        """What all members have counted so far."""
        tally = Tally()
        for report in self._latest.values():
            tally.add(report.counts, report.errors)
        return tally

    @property
    def closes(self) -> dict[str, int]:
        """How connections have ended so far, by close code; 1006 for those that just ended, dropped ones among them."""
        closes: dict[str, int] = {}
        for report in self._latest.values():
            for code, count in report.closes.items():
                closes[code] = closes.get(code, 0) + count
        return closes

    def series(self, name: str) -> Histogram:
        """Return the latencies of a series of publications so far."""
        return self._series[name]

    async def heard(self, series: str, wanted: int, *, timeout_s: float) -> Histogram:
        """Wait until a series was received `wanted` times in all, recovered ones included; return its latencies."""

        def count() -> int:
            return self.series(series).count + self.series(f"{series}-recovered").count

        await self.until(lambda: count() >= wanted, timeout_s=timeout_s, what=f"receive {wanted:,} of {series}")
        return self.series(series)

    async def all_live(self, *, timeout_s: float, what: str = "come back") -> None:
        """Wait until every member that wants to be connected is."""
        await self.until(lambda: self.away == 0, timeout_s=timeout_s, what=what)

    async def settled(self) -> None:
        """Wait until every shard has reported what it has seen up to now."""
        await asyncio.sleep(_SETTLED_S)
        await self._reports(1)

    async def until(self, done: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        """Wait until a condition on the reports holds. Raises SwarmStuck."""
        try:
            async with asyncio.timeout(timeout_s), self._news:
                while not done():
                    self._check_alive()
                    await self._news.wait()
        except TimeoutError:
            raise SwarmStuck(f"could not {what} within {timeout_s:g} s; {self._state()}") from None

    async def _reports(self, count: int) -> None:
        """Wait for `count` more reports of every shard."""
        for _ in range(count):
            now_s = time.monotonic()
            await self.until(
                lambda since_s=now_s: all(each.at_s > since_s for each in self._latest.values()),  # type: ignore[misc]
                timeout_s=30.0,
                what="report",
            )

    def _check_alive(self) -> None:
        for process, reader in zip(self._processes, self._readers, strict=True):
            if reader.done() and process.returncode is not None:
                raise SwarmStuck(f"a shard ended with exit code {process.returncode}")

    def _state(self) -> str:
        tally = self.tally
        state = {"live": self.live, "away": self.away, **tally.counts(), **tally.errors, "closes": self.closes}
        return ", ".join(f"{name} {value}" for name, value in state.items())
