"""Install the Debian packages of missing programs, without waking the services they carry."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.programs import ALL, Program

# Debian asks this program before it starts a service that was just installed; 101 means "do not".
_POLICY = Path("/usr/sbin/policy-rc.d")
_LOCK_WAIT_S = 300


def missing() -> list[Program]:
    """The programs that are not installed."""
    return [program for program in ALL if program.find() is None]


def can_install() -> bool:
    """Whether this is Debian (or alike) and we are root."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(programs: list[Program]) -> None:
    """Install the packages of `programs`.

    Raises:
        subprocess.CalledProcessError: apt-get failed; it has said why.
    """
    packages = sorted({program.package for program in programs})
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "--quiet", "--yes", "--option", f"DPkg::Lock::Timeout={_LOCK_WAIT_S}"]
    subprocess.run([*apt, "update"], env=env, check=True)
    with _no_service_starts():
        subprocess.run([*apt, "install", "--no-install-recommends", *packages], env=env, check=True)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    if _POLICY.exists():  # The machine has a policy of its own (images of containers do): leave it.
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
