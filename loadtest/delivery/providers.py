"""The providers under load: each stand-in in a process of its own, asked over pipes what it has taken."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import psutil

from loadtest.delivery.provider import STAND_INS
from loadtest.stack import Cost, cost_of

_END_S = 10.0


class Provider:
    """A stand-in that runs elsewhere."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self._process = process
        self.seen = psutil.Process(process.pid)
        self.url: str = self._next()["url"]

    def count(self) -> int:
        """Return how many messages it has taken."""
        return int(self._ask("count"))

    def arrivals(self) -> dict[str, int]:
        """Return when it took the message to each recipient, in Unix ms; the last one where there were several."""
        return dict(self._ask("arrivals"))

    def cost(self) -> Cost:
        """Return what the process has used so far."""
        return cost_of(self.seen)

    def _ask(self, word: str) -> Any:
        if self._process.stdin is None:
            raise RuntimeError(f"{self.name} was started without a pipe")
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._next()

    def _next(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the stand-in {self.name} has ended")
        return json.loads(line)


@contextmanager
def running_providers(names: Sequence[str] = tuple(STAND_INS)) -> Iterator[dict[str, Provider]]:
    """Run stand-ins for the block."""
    with ExitStack() as parts:
        yield {name: parts.enter_context(_running(name)) for name in names}


@contextmanager
def _running(name: str) -> Iterator[Provider]:
    command = [sys.executable, "-m", "loadtest.delivery.provider", name]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield Provider(name, process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
