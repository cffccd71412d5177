"""Figures from samples beside their budgets, and the table and JSON that a run leaves behind."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside its budget. `ceiling`: the budget is the most, not the least, that is allowed.

    `reach` is what the budget is to become.
    """

    benchmark: str
    what: str
    value: float
    unit: str
    budget: float | None = None
    ceiling: bool = True
    reach: float | None = None

    @property
    def verdict(self) -> str:
        """`pass`, `MISS`, or nothing where there is no budget."""
        if self.budget is None:
            return ""
        return "pass" if self._within(self.budget) else "MISS"

    @property
    def reached(self) -> bool:
        """Whether it is as good as hoped for."""
        return self.reach is not None and self._within(self.reach)

    def _within(self, bound: float) -> bool:
        return (self.value <= bound) is self.ceiling or self.value == bound


@dataclass(frozen=True, slots=True)
class Measure:
    """A line of a scenario's budget table: what is measured, in which unit, and how much of it there may be."""

    what: str
    unit: str
    must: float | None = None
    reach: float | None = None
    ceiling: bool = True

    def figure(self, benchmark: str, value: float) -> Figure:
        """Return the figure that was measured for it."""
        return Figure(benchmark, self.what, value, self.unit, budget=self.must, ceiling=self.ceiling, reach=self.reach)


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the samples lie; 0 without samples."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def median(samples: Sequence[float]) -> float:
    """Return the middle one of the samples; 0 without samples."""
    return percentile(samples, 0.5)


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as aligned text."""
    rows = [("benchmark", "figure", "value", "unit", "budget", "")]
    for each in figures:
        sign = "≤" if each.ceiling else "≥"
        budget = "" if each.budget is None else f"{sign} {each.budget:g}"
        rows.append((each.benchmark, each.what, f"{each.value:,.1f}", each.unit, budget, each.verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def as_json(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Return the figures as plain values, with their verdicts."""
    return [{**asdict(each), "verdict": each.verdict, "reached": each.reached} for each in figures]


def machine() -> dict[str, Any]:
    """Return where this runs."""
    return {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count() or 1}


def keep(record: dict[str, Any], folder: Path) -> Path:
    """Write a run's record as JSON, named by the time; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"load-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
    file.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return file
