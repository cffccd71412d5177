"""The real program as child processes: started as an operator starts it, killed and stopped by signals."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

DOORBELL = Path(sys.executable).with_name("doorbell")
_GONE_S = 10.0


class Program:
    """One `doorbell …` and whatever it starts. Its output goes to `log`."""

    def __init__(self, *arguments: str, environment: Mapping[str, str], log: Path) -> None:
        self.arguments = arguments
        self.log = log
        self._environment = dict(environment)
        self._popen: subprocess.Popen[bytes] | None = None
        self._family: list[psutil.Process] = []

    def start(self) -> None:
        """Start it (again)."""
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                [str(DOORBELL), *self.arguments],
                env=self._environment,
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def family(self) -> list[psutil.Process]:
        """The children of the process, and theirs."""
        return psutil.Process(self.pid).children(recursive=True) if self.running else []

    def workers(self) -> list[psutil.Process]:
        """The workers of `doorbell serve`, the oldest first."""
        children = psutil.Process(self.pid).children() if self.running else []
        return sorted(children, key=lambda child: child.create_time())

    def kill(self) -> None:
        """End it at once (SIGKILL) and wait until it is gone."""
        assert self._popen is not None
        self._popen.kill()
        self._popen.wait(_GONE_S)

    def kill_and_restart(self) -> None:
        """What an init system does after a crash."""
        self.kill()
        self.start()

    async def stop(self, *, timeout_s: float, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        assert self._popen is not None
        self._family = self.family()
        self._popen.send_signal(with_signal)
        return await self.ended(timeout_s=timeout_s)

    async def ended(self, *, timeout_s: float) -> int:
        """Return the exit code once it has ended by itself."""
        assert self._popen is not None
        return await asyncio.to_thread(self._popen.wait, timeout_s)

    def orphans(self) -> list[psutil.Process]:
        """What it had started before `stop` and what still runs."""
        return [child for child in self._family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]

    def end(self) -> None:
        """End it and all that it started, in whatever state a test left it."""
        doomed = [*self.family(), *self._family]
        if self.running:
            self.kill()
        for child in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(doomed, _GONE_S)


async def doorbell(*arguments: str, environment: Mapping[str, str], timeout_s: float = 30.0) -> tuple[int, str, str]:
    """Run a command to its end; return its exit code, its output and its errors."""
    process = await asyncio.create_subprocess_exec(
        str(DOORBELL),
        *arguments,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def clean_environment() -> dict[str, str]:
    """The environment of this process without what is meant for another Doorbell."""
    ours = ("DOORBELL_", "PROMETHEUS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
