"""Real services for tests: one private instance of each per test process, or one per test for tests that hurt it.

A test that kills or pauses a service starts its own::

    with running(RedisServer(tmp_path / "redis")) as redis:
        ...
        redis.kill()

The methods of a server block; in a coroutine, call them as ``await asyncio.to_thread(redis.restart)``.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, Protocol, TypeVar

import pytest

from deploy.local import MissingProgramError
from deploy.local.child import start_ticks
from deploy.local.service import end_recorded

PROJECT = Path(__file__).parent.parent
RUNS = PROJECT / ".local" / "tests"
KAFKA_JARS = PROJECT / ".local" / "kafka-jars"


class StartsAndStops(Protocol):
    """A service, or several that belong together."""

    def start(self) -> None:
        """Return when it is ready."""

    def stop(self) -> None:
        """End it."""


Service = TypeVar("Service", bound=StartsAndStops)


def unavailable(reason: str) -> NoReturn:
    """Skip the test on a developer's machine; fail it in CI, where a skipped test would look like a passed one."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def running(service: Service) -> Iterator[Service]:
    """Start `service` for a `with` block and stop it after, in whatever state the test left it."""
    try:
        service.start()
    except MissingProgramError as error:
        unavailable(str(error))
    except BaseException:
        service.stop()
        raise
    try:
        yield service
    finally:
        service.stop()


def run_name(pid: int) -> str:
    """Name the run of a process. Its id alone would not do: it is given to another process after it."""
    return f"{pid}-{start_ticks(pid)}"


def _still_runs(name: str) -> bool:
    try:
        return name == run_name(int(name.partition("-")[0]))
    except (FileNotFoundError, ValueError):
        return False


def _clean_up_after_killed_runs() -> None:
    runs = os.open(RUNS, os.O_RDONLY)
    try:
        # Several processes of one run begin at the same time.
        fcntl.flock(runs, fcntl.LOCK_EX)
        for folder in RUNS.iterdir():
            if not _still_runs(folder.name):
                end_recorded(folder, timeout_s=5)
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(runs)


@contextmanager
def run_folder() -> Iterator[Path]:
    """The folder of this process of a test run, removed after it.

    A run that was killed could not stop its services: the next run does it.
    """
    RUNS.mkdir(parents=True, exist_ok=True)
    _clean_up_after_killed_runs()
    own = RUNS / run_name(os.getpid())
    own.mkdir(exist_ok=True)
    try:
        yield own
    finally:
        end_recorded(own, timeout_s=5)
        with suppress(OSError):
            shutil.rmtree(own)
