"""A run's record as one HTML page: the budgets, and what happened over time. `python -m loadtest.report RUN.json`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from loadtest.report.plot import Line, Plot, figure

_STYLE = Path(__file__).with_name("page.css")
_MEGA = 1_000
_LOSSES = ("kill-worker", "storm", "drain")
_SERVER = "serve"
_LATENCIES = ("connecting", "orders-placed", "broadcast", "personal", "latest", "talk", "storm-all")
"""The series whose latencies are plotted."""


def page(record: Mapping[str, Any]) -> str:
    """Return the page. A record without a timeline, as benchmarks leave it, has the table only."""
    plots = "".join(figure(plot) for plot in _plots(record.get("timeline") or {}))
    body = [
        _head(record),
        "<h2>Budgets</h2>",
        _table(each for each in record["figures"] if each["verdict"]),
        f'<h2>Over time</h2>{_parts(record)}<div class="plots">{plots}</div>' if plots else "",
        "<h2>Everything measured</h2>",
        _table(record["figures"]),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Load test</title><style>{_STYLE.read_text(encoding='utf-8')}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _head(record: Mapping[str, Any]) -> str:
    verdicts = [each["verdict"] for each in record["figures"]]
    missed = verdicts.count("MISS")
    kept = f'<span class="good">{verdicts.count("pass")} budgets kept</span>'
    outcome = f'{kept}, <span class="bad">{missed} missed</span>' if missed else kept
    about = [record.get("target", "Doorbell")]
    if plan := record.get("plan"):
        about.append(f"{plan['clients']:,} clients")
    machine = record["machine"]
    about += [
        f"{machine.get('cores', '?')} cores",
        f"Python {machine['python']}",
        machine["system"],
        record.get("at", ""),
    ]
    facts = escape(" · ".join(part for part in about if part))
    return f'<h1>Load test</h1><p>{outcome}</p><p class="faint">{facts}</p>'


def _table(figures: Iterable[Mapping[str, Any]]) -> str:
    rows = "".join(_row(each) for each in figures)
    head = (
        '<tr><th class="wide">scenario</th><th>figure</th><th>value</th><th>must</th><th class="wide">reach for</th>'
        "<th></th></tr>"
    )
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _row(each: Mapping[str, Any]) -> str:
    sign = "≤" if each["ceiling"] else "≥"
    bounds = [f"{sign} {value:,g}" if value is not None else "" for value in (each["budget"], each.get("reach"))]
    verdict = {"pass": '<td class="good">kept</td>', "MISS": '<td class="bad">missed</td>'}.get(
        each["verdict"], "<td></td>"
    )
    if each.get("reached"):
        verdict = '<td class="good">reached</td>'
    value = f"{number(each['value'])} {escape(each['unit'])}"
    must, reach = bounds
    cells = (
        f'<td class="wide">{escape(each["benchmark"])}</td><td>{escape(each["what"])}</td>'
        f'<td class="number">{value}</td><td class="number">{must}</td><td class="number wide">{reach}</td>'
    )
    return f"<tr>{cells}{verdict}</tr>"


def number(value: float) -> str:
    """Return a figure with as many digits as it deserves."""
    if value == int(value) or abs(value) >= _MEGA:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def _parts(record: Mapping[str, Any]) -> str:
    marks = (record.get("timeline") or {}).get("marks", [])
    items = "".join(f"<li>{escape(name)}, {until_s - from_s:.0f} s</li>" for name, from_s, until_s in marks)
    return f'<ol class="parts">{items}</ol>'


def _plots(timeline: Mapping[str, Any]) -> list[Plot]:
    if not timeline:
        return []
    moments = [(from_s, str(place)) for place, (_, from_s, _) in enumerate(timeline["marks"], start=1)]

    def over(title: str, unit: str, lines: Mapping[str, Line], *, logarithmic: bool = False) -> Plot:
        return Plot(title, unit, lines, moments=moments, logarithmic=logarithmic, dots=logarithmic)

    latency = {name: line for name, line in timeline["latency"].items() if name in _LATENCIES}
    return [
        over("Connections", "open and subscribed", {"connections": timeline["connections"]}),
        Plot("Coming back", "connections, seconds since the loss", reconnect_curves(timeline)),
        over("Deliveries", "publications per second, all clients", {"deliveries": timeline["deliveries"]}),
        over("Latency, median", "ms", _column(latency, 1), logarithmic=True),
        over("Latency, 99th percentile", "ms", _column(latency, 2), logarithmic=True),
        over("CPU by role", "cores", summed(timeline["cpu"])),
        over("CPU of each worker", "cores", _of_server(timeline["cpu"])),
        over("Memory by role", "MB resident", summed(timeline["memory"])),
        over("Memory of each worker", "MB resident", _of_server(timeline["memory"])),
    ]


def _column(lines: Mapping[str, Line], column: int) -> dict[str, Line]:
    return {name: [(point[0], point[column]) for point in line] for name, line in lines.items()}


def reconnect_curves(timeline: Mapping[str, Any]) -> dict[str, Line]:
    """Return the connections during each loss, by seconds since it began."""
    return {
        name: [(at_s - from_s, live) for at_s, live in timeline["connections"] if from_s <= at_s <= until_s]
        for name, from_s, until_s in timeline["marks"]
        if name in _LOSSES
    }


def summed(lines: Mapping[str, Line]) -> dict[str, Line]:
    """Add up the processes of each role, second by second; of several values in a second the last one counts."""
    totals: dict[str, dict[int, dict[str, float]]] = {}
    for process, line in lines.items():
        role = totals.setdefault(process.partition(".")[0].partition("-")[0], {})
        for at_s, value in line:
            role.setdefault(round(at_s), {})[process] = value
    return {
        role: [(at_s, sum(values.values())) for at_s, values in sorted(seconds.items())]
        for role, seconds in totals.items()
    }


def _of_server(lines: Mapping[str, Line]) -> dict[str, Sequence[Sequence[float]]]:
    return {name: line for name, line in lines.items() if name.startswith(_SERVER) and "." in name}
