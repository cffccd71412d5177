"""The folder in which an installation keeps what it needs on this machine: `data_dir`."""

from __future__ import annotations

import os
from pathlib import Path

from hub.domain.errors import ConfigurationError, Mistake


def made(data_dir: Path) -> Path:
    """Return the folder, made if need be. Raises ConfigurationError where it cannot be made or written to."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(data_dir, f"cannot be made ({error.strerror})") from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise _unusable(data_dir, "cannot be written to")
    return data_dir


def _unusable(data_dir: Path, problem: str) -> ConfigurationError:
    advice = f"{problem}; write a folder in which this user may make files"
    return ConfigurationError([Mistake("settings", "data_dir", str(data_dir), advice)])
