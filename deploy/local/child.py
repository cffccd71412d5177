"""One program started here, known by its process id, and ended by nothing else.

Each child leads a process group of its own (RabbitMQ is a shell, an emulator and its helpers), so that a signal reaches
all of it and Ctrl-C in the terminal reaches none of it. A record beside its data lets a later command, or the next test
run after a crash, find it again; the start time in it tells our process from a stranger that was given the same id.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

RECORD_SUFFIX = ".process.json"
_KILL_TIMEOUT_S = 10.0
_POLL_INTERVAL_S = 0.01


class Child:
    """A running (or ended) program of ours."""

    def __init__(self, process: psutil.Process, *, record: Path, popen: subprocess.Popen[bytes] | None) -> None:
        self._process = process
        self._record = record
        # Only the process that started a child can reap it.
        self._popen = popen

    @classmethod
    def start(cls, argv: Sequence[str], *, folder: Path, name: str, env: Mapping[str, str]) -> Self:
        """Start `argv` with output appended to `<folder>/<name>.log` and a record beside it.

        Raises:
            OSError: The program is missing or cannot be executed.
        """
        with (folder / f"{name}.log").open("ab") as log:
            popen = subprocess.Popen(
                argv,
                cwd=folder,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        process = psutil.Process(popen.pid)
        record = folder / f"{name}{RECORD_SUFFIX}"
        record.write_text(json.dumps({"pid": popen.pid, "started": start_ticks(popen.pid)}))
        return cls(process, record=record, popen=popen)

    @classmethod
    def recorded(cls, record: Path) -> Self | None:
        """Find the child that `record` was written for; None when it no longer runs."""
        try:
            known = json.loads(record.read_text())
            process = psutil.Process(known["pid"])
            same = start_ticks(process.pid) == known["started"]
        except (FileNotFoundError, psutil.NoSuchProcess, ValueError):
            return None
        return cls(process, record=record, popen=None) if same else None

    @property
    def pid(self) -> int:
        """The process id, which is the id of the process group as well."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended. A paused child is running."""
        if self._popen is not None:
            return self._popen.poll() is None
        return _lives(self._process)

    def pause(self) -> None:
        """Stop it where it stands (SIGSTOP): its sockets stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused child go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once (SIGKILL) and wait until all of it is gone, its ports included.

        Raises:
            TimeoutError: The kernel did not let go of it.
        """
        members = self._members()
        self._signal(signal.SIGKILL)
        if not self._wait_for(members, timeout_s=_KILL_TIMEOUT_S):
            raise TimeoutError(f"process {self.pid} does not go away")
        self._record.unlink(missing_ok=True)

    def terminate(self, *, timeout_s: float) -> None:
        """Ask it to end (SIGTERM); kill what is left of it after `timeout_s`."""
        members = self._members()
        self._signal(signal.SIGTERM)
        # A paused process gets SIGTERM only when it runs again.
        self._signal(signal.SIGCONT)
        if not self._wait_for(members, timeout_s=timeout_s):
            for member in members:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
            self._wait_for(members, timeout_s=_KILL_TIMEOUT_S)
        self._record.unlink(missing_ok=True)

    def _members(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return [self._process, *self._process.children(recursive=True)]
        return []

    def _signal(self, number: signal.Signals) -> None:
        if not self.running:
            return
        with suppress(ProcessLookupError):  # It may end in this moment.
            os.killpg(self.pid, number)

    def _wait_for(self, members: Sequence[psutil.Process], *, timeout_s: float) -> bool:
        """Wait for the end of all: the leader can be gone while a member still holds the port."""
        deadline = time.monotonic() + timeout_s
        while any(_lives(member) for member in members):
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_INTERVAL_S)
        if self._popen is not None:
            self._popen.wait()
        return True


def _lives(process: psutil.Process) -> bool:
    """Say whether there is something left of a process that runs.

    Its first thread becomes a zombie when it ends, be it that others are still on their way out: as long as one of them
    lives, so do the process's sockets and files.
    """
    try:
        if not process.is_running():
            return False
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.NoSuchProcess:
        return False


def start_ticks(pid: int) -> int:
    """Return when a process began, in the kernel's ticks since boot (proc(5), `starttime`).

    Exact for its whole life. As a time of day it would move with the machine's clock.

    Raises:
        FileNotFoundError: There is no such process.
    """
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except ProcessLookupError as error:  # It ended between the opening and the reading.
        raise FileNotFoundError(pid) from error
    return int(after_name.split()[19])
