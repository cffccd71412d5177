"""How long a role runs: until a signal asks it to stop, or the process that supervises it is gone."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import uvloop

from hub.domain.errors import ConfigurationError
from hub.observe import logger
from hub.roles.collector import calm, tend
from hub.supervisor import EXIT_CONFIGURATION

_log = logger(__name__)
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own name for the folder in which processes add up their metrics."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How this process was started, so that it can start others the same way."""

    environment: Mapping[str, str]
    config_arguments: tuple[str, ...] = ()
    metrics_dir: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], *, config: Path | None) -> Self:
        """Return the launch of this process; `config` is the file its arguments named."""
        arguments = ("--config", str(config)) if config is not None else ()
        return cls(environment, arguments, environment.get(METRICS_VARIABLE))


Role = Callable[[asyncio.Event], Awaitable[int]]


def run_role(role: Role, *, supervised: bool = False) -> int:
    """Run a role on uvloop and return its exit code.

    The role gets an event that is set by SIGTERM, SIGINT, SIGHUP or, if `supervised`, the end of the parent; it then
    has to drain and return. Another SIGTERM or SIGINT cancels it: it ends at once, with exit code 1. Configuration
    mistakes are printed, one a line, and end in exit code 78.
    """
    try:
        return uvloop.run(_with_signals(role, supervised=supervised))
    except asyncio.CancelledError:
        sys.stderr.write("It was asked to stop twice, and has left undone what it had in hand.\n")
        return 1
    except ConfigurationError as error:
        return _refuse([error])
    except BaseExceptionGroup as group:
        # Of a part that began only when others ran already.
        mistaken, others = group.split(ConfigurationError)
        if mistaken is None or others is not None:
            raise
        return _refuse(_leaves(mistaken))


def _refuse(errors: Iterable[ConfigurationError]) -> int:
    for mistake in (mistake for error in errors for mistake in error.mistakes):
        sys.stderr.write(f"{mistake}\n")
    return EXIT_CONFIGURATION


def _leaves(group: BaseExceptionGroup[ConfigurationError]) -> Iterator[ConfigurationError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _with_signals(role: Role, *, supervised: bool) -> int:
    calm()
    tending = asyncio.create_task(tend(), name="collector")
    stopping = asyncio.Event()
    _heed_signals(stopping)
    watch = await _watch_parent(stopping) if supervised else None
    try:
        return await role(stopping)
    finally:
        tending.cancel()
        if watch is not None:
            watch.close()


def _heed_signals(stopping: asyncio.Event) -> None:
    """Set the event at a signal, and cancel the task that is running now at a second SIGTERM or SIGINT."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    asked = 0

    def stop(number: signal.Signals) -> None:
        nonlocal asked
        _log.info("stopping", signal=number.name)
        stopping.set()
        # A terminal that closes, and the shell in it, send SIGHUP one after the other: that is no impatience.
        asked += number is not signal.SIGHUP
        if asked > 1 and task is not None:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # As nohup has it.
            loop.add_signal_handler(number, stop, number)


class _EndOfParent(asyncio.Protocol):
    """Sets the event when the supervisor's end of our standard input closes."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping

    def eof_received(self) -> None:
        """The parent is gone."""
        self._stopping.set()


async def _watch_parent(stopping: asyncio.Event) -> asyncio.BaseTransport:
    """Watch standard input, a pipe that the supervisor holds (hub.supervisor)."""
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: _EndOfParent(stopping), sys.stdin)
    return transport
