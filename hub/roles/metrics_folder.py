"""The folder in which the processes of one installation add up their metrics."""

from __future__ import annotations

from pathlib import Path


def fresh_metrics_dir(data_dir: Path) -> Path:
    """Return an empty folder in which the processes of this run add up their metrics."""
    folder = data_dir / "metrics"
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()
    return folder
