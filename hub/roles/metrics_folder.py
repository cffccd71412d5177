"""The folder in which the processes of one installation add up their metrics."""

from __future__ import annotations

from pathlib import Path

from hub.store.data_folder import made


def fresh_metrics_dir(data_dir: Path) -> Path:
    """Return an empty folder in which the processes of this run add up their metrics.

    Raises ConfigurationError where it cannot be made.
    """
    folder = made(data_dir / "metrics")
    for file in folder.glob("*.db"):
        file.unlink()
    return folder
