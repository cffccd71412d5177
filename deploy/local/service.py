"""What all local services have in common: the life of one process, its folder and the wait until it is ready."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from deploy.local.child import RECORD_SUFFIX, Child
from deploy.local.errors import DidNotStartError, LocalServiceError
from deploy.local.ports import free_port, is_free

_POLL_INTERVAL_S = 0.02
_LOG_TAIL_BYTES = 4_000


class LocalService(ABC):
    """A service on loopback whose data lives in `folder` and survives everything but the folder's removal.

    The methods block, for seconds in the case of the brokers: a test on an event loop wraps them in
    ``asyncio.to_thread``. A service may be started again after `stop` or `kill`, on the same port and data.
    """

    name: ClassVar[str]
    ready_timeout_s: ClassVar[float]
    stop_timeout_s: ClassVar[float]

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        """Keep data and log in `folder`; listen on `port`, or on a free one chosen now."""
        self.folder = folder.resolve()
        self.port = port or free_port()
        self._child: Child | None = None

    @property
    def running(self) -> bool:
        """Whether its process exists, be it paused or not yet ready."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            LocalServiceError: It is not running.
        """
        return self._started().pid

    def start(self) -> None:
        """Start it and return when it answers requests.

        Raises:
            MissingProgramError: A program is not installed.
            LocalServiceError: It is already running, or its port is in use.
        DidNotStartError: It ended or did not become ready in time (it is stopped again then).
        """
        if self.running:
            raise LocalServiceError(f"{self.name} is already running in {self.folder}")
        # Otherwise the stranger that listens there would be taken for the service, and answer that it is ready.
        if not is_free(self.port):
            raise LocalServiceError(f"{self.name} cannot start: 127.0.0.1:{self.port} is in use")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._prepare()
        self._child = Child.start(self._command(), folder=self.folder, name=self.name, env=self._environment())
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it in good order. Does nothing when it is not running."""
        if self._child is not None:
            self._child.terminate(timeout_s=self.stop_timeout_s)

    def kill(self) -> None:
        """End it like a crash (SIGKILL)."""
        self._started().kill()

    def restart(self) -> None:
        """Stop it in good order and start it on the same port and data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open and nothing is answered, like a hung machine."""
        self._started().pause()

    def resume(self) -> None:
        """End a pause (SIGCONT)."""
        self._started().resume()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop, whatever state it is in."""
        self.stop()

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The program and its arguments."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Ask it something only a ready server answers. OSError counts as no."""

    def _prepare(self) -> None:  # noqa: B027 - most services need nothing
        """Write what it needs into the folder. Called before every start."""

    def _environment(self) -> Mapping[str, str]:
        return os.environ

    def _started(self) -> Child:
        if self._child is None or not self._child.running:
            raise LocalServiceError(f"{self.name} is not running in {self.folder}")
        return self._child

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self.ready_timeout_s
        while not self._answers():
            if not self.running:
                raise DidNotStartError(name=self.name, reason="its process ended", log_tail=self._log_tail())
            if time.monotonic() > deadline:
                reason = f"not ready after {self.ready_timeout_s:.0f} s"
                raise DidNotStartError(name=self.name, reason=reason, log_tail=self._log_tail())
            time.sleep(_POLL_INTERVAL_S)

    def _answers(self) -> bool:
        try:
            return self._is_ready()
        except OSError:
            return False

    def _log_tail(self) -> str:
        log = (self.folder / f"{self.name}.log").read_bytes()
        return log[-_LOG_TAIL_BYTES:].decode(errors="replace")


def end_recorded(folder: Path, *, timeout_s: float = 30) -> list[str]:
    """End every child recorded anywhere below `folder`, by whichever process it was started.

    Returns:
        The names of those that were still running.
    """
    ended = []
    for record in sorted(folder.rglob(f"*{RECORD_SUFFIX}")):
        child = Child.recorded(record)
        if child is not None:
            child.terminate(timeout_s=timeout_s)
            ended.append(record.name.removesuffix(RECORD_SUFFIX))
        record.unlink(missing_ok=True)
    return ended
