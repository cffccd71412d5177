"""Line plots as SVG: no script, and colours from the page, so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from loadtest.report.scale import Scale, linear, logarithmic, short

_WIDTH, _HEIGHT = 460, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 24, 40
_MOST_POINTS = 400
_GAP = 15.0
COLOURS = 8
"""How many the page has: `--line-0` and so on."""
Line = Sequence[Sequence[float]]
"""Points of x and y."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What a plot shows: lines by name, over `across`. `moments` are vertical lines with a short label each."""

    title: str
    unit: str
    lines: Mapping[str, Line]
    across: str = "seconds"
    moments: Sequence[tuple[float, str]] = ()
    logarithmic: bool = False
    dots: bool = False
    """Mark the points: for lines of a few."""


def figure(plot: Plot) -> str:
    """Return the plot with its title and legend; nothing where it has no points."""
    if not any(plot.lines.values()):
        return ""
    title = f"{escape(plot.title)} <small>{escape(plot.unit)}</small>"
    return f'<figure><figcaption>{title}</figcaption>{_svg(plot)}<p class="legend">{_legend(plot)}</p></figure>'


def thinned(line: Line, most: int = _MOST_POINTS) -> Line:
    """Return at most about `most` points, the greatest of each stretch, so that no peak is lost."""
    if len(line) <= most:
        return line
    stretch = -(-len(line) // most)
    return [max(line[at : at + stretch], key=lambda point: point[1]) for at in range(0, len(line), stretch)]


def _legend(plot: Plot) -> str:
    if len(plot.lines) == 1:
        return ""
    names = enumerate(plot.lines)
    return " ".join(f'<span class="key c{number % COLOURS}">{escape(name)}</span>' for number, name in names)


def _svg(plot: Plot) -> str:
    points = [point for line in plot.lines.values() for point in line]
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    across = Scale(min(xs), max(*xs, min(xs) + 1), _LEFT, _WIDTH - _RIGHT)
    up = (logarithmic if plot.logarithmic else linear)(ys, start=_HEIGHT - _BOTTOM, end=_TOP)
    parts = [*_grid(across, up, plot.across), *_moments(plot, across)]
    for number, line in enumerate(plot.lines.values()):
        parts += _line(thinned(line), across, up, number=number % COLOURS, dots=plot.dots)
    label = escape(plot.title, quote=True)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _grid(across: Scale, up: Scale, label: str) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for value in up.ticks():
        at = up(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {at}H{right}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4}" text-anchor="end">{short(value)}</text>')
    parts += [
        f'<text x="{across(value)}" y="{bottom + 16}" text-anchor="middle">{short(value)}</text>'
        for value in _round_ticks(across)
    ]
    parts.append(f'<text x="{right}" y="{_HEIGHT - 6}" text-anchor="end">{escape(label)}</text>')
    return parts


def _round_ticks(across: Scale) -> list[float]:
    """Return ticks from 0 on that lie within the scale: a run may begin anywhere."""
    whole = Scale(0.0, across.high, across.start, across.end)
    return [value for value in whole.ticks() if value >= across.low]


def _moments(plot: Plot, across: Scale) -> list[str]:
    parts, last = [], float("-inf")
    for at_s, label in plot.moments:
        at = across(at_s)
        parts.append(f'<path class="moment" d="M{at} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
        if at - last > len(label) * 7 + 4:
            parts.append(f'<text class="moment" x="{at + 2}" y="{_TOP - 8}">{escape(label)}</text>')
            last = at
    return parts


def _line(line: Line, across: Scale, up: Scale, *, number: int, dots: bool) -> list[str]:
    parts = []
    for stretch in stretches(line):
        at = " ".join(f"{across(point[0])},{up(point[1])}" for point in stretch)
        parts.append(f'<polyline class="line c{number}" points="{at}"/>')
    if dots:
        parts += [f'<circle class="dot c{number}" cx="{across(x)}" cy="{up(y)}" r="2.5"/>' for x, y, *_ in line]
    return parts


def stretches(line: Line, gap: float = _GAP) -> list[list[Sequence[float]]]:
    """Cut a line where there is nothing for longer than `gap`, instead of drawing across."""
    found: list[list[Sequence[float]]] = []
    for point in line:
        if found and point[0] - found[-1][-1][0] <= gap:
            found[-1].append(point)
        else:
            found.append([point])
    return found
