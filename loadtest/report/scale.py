"""Axes: round numbers for ticks, and where a value lies."""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_THOUSAND, _MILLION = 1_000.0, 1_000_000.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from `low` to `high` onto pixels from `start` to `end`, in proportion or by their logarithms."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; those outside land on the edge."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.logarithmic:
            low, high, at = math.log10(low), math.log10(high), math.log10(at)
        share = (at - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, wanted: int = 5) -> list[float]:
        """Return round values within the scale: about `wanted`, or the powers of ten of a logarithmic one."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        step = round_step((self.high - self.low) / wanted)
        count = math.floor((self.high - self.low) / step + 1e-9)
        return [self.low + number * step for number in range(count + 1)]


def round_step(rough: float) -> float:
    """Return the next 1, 2, 2.5, 5 or 10 times a power of ten that is not below `rough`."""
    magnitude: float = 10.0 ** math.floor(math.log10(rough))
    return next(step * magnitude for step in _STEPS if step * magnitude >= rough * (1 - 1e-9))


def linear(values: list[float], *, start: float, end: float) -> Scale:
    """Return a scale from 0 to a round number that is not below the greatest value."""
    greatest = max(values, default=0.0)
    if greatest <= 0:
        return Scale(0.0, 1.0, start, end)
    step = round_step(greatest / 5)
    return Scale(0.0, math.ceil(greatest / step - 1e-9) * step, start, end)


def logarithmic(values: list[float], *, start: float, end: float) -> Scale:
    """Return a scale over whole powers of ten around the values above 0."""
    positive = [value for value in values if value > 0] or [1.0]
    low = math.floor(math.log10(min(positive)))
    high = max(low + 1, math.ceil(math.log10(max(positive))))
    return Scale(10.0**low, 10.0**high, start, end, logarithmic=True)


def short(value: float) -> str:
    """Return a number as an axis shows it: 1500000 as 1.5M, 20000 as 20k."""
    if abs(value) >= _MILLION:
        return f"{value / _MILLION:.3g}M"
    return f"{value / _THOUSAND:.3g}k" if abs(value) >= _THOUSAND else f"{value:.3g}"
