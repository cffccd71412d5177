"""Figures from samples, and the table and JSON that a run leaves behind."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside its budget. `ceiling`: the budget is the most, not the least, that is allowed."""

    benchmark: str
    what: str
    value: float
    unit: str
    budget: float | None = None
    ceiling: bool = True

    @property
    def verdict(self) -> str:
        """`pass`, `MISS`, or nothing where there is no budget."""
        if self.budget is None:
            return ""
        return "pass" if (self.value <= self.budget) is self.ceiling or self.value == self.budget else "MISS"


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the samples lie; 0 without samples."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as aligned text."""
    rows = [("benchmark", "figure", "value", "unit", "budget", "")]
    for each in figures:
        sign = "≤" if each.ceiling else "≥"
        budget = "" if each.budget is None else f"{sign} {each.budget:g}"
        rows.append((each.benchmark, each.what, f"{each.value:,.1f}", each.unit, budget, each.verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def keep(figures: Sequence[Figure], folder: Path) -> Path:
    """Write the figures as JSON, with when and where they were measured; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"load-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
    machine = {"python": platform.python_version(), "system": platform.platform()}
    report = {
        "machine": machine,
        "figures": [{**asdict(each), "verdict": each.verdict} for each in figures],
    }
    file.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return file
