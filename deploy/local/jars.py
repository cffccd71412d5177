"""Jars by Maven: a pinned pom names them, a folder keeps them."""

import os
import shutil
import subprocess
from pathlib import Path

from deploy.local.errors import DidNotStartError
from deploy.local.programs import MAVEN

_TIMEOUT_S = 300.0


def fetch_jars(library: Path, *, pom: Path) -> None:
    """Have Maven copy what `pom` depends on into `library`, unless it is there for the pom as it is now.

    Raises:
        MissingProgramError: Maven is not installed.
        DidNotStartError: Maven failed.
    """
    library = library.resolve()  # Maven would take a relative path from the folder of the pom.
    done = library / "pom.xml"
    if done.exists() and done.read_bytes() == pom.read_bytes():
        return
    # Beside, then renamed: a second test run, or an interruption, never sees half a library.
    beside = library.with_name(f"{library.name}.{os.getpid()}")
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={beside}", "-DincludeScope=runtime"]
    command = [MAVEN.require(), "--batch-mode", "--quiet", "--file", str(pom), *goal]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if ended.returncode != 0:
        said = (ended.stdout + ended.stderr)[-4000:]
        raise DidNotStartError(name=pom.parent.name, reason="could not fetch its jars", log_tail=said)
    shutil.copy(pom, beside)
    shutil.rmtree(library, ignore_errors=True)
    try:
        beside.rename(library)
    except OSError:
        shutil.rmtree(beside)  # Somebody else was first.
