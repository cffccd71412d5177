"""`python -m loadtest [connections] [pipeline]`: benchmarks that print a table and keep JSON. About a minute each."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import uvloop

from loadtest import connections, pipeline
from loadtest.measure import Figure, keep, table

_RESULTS = Path(".local/load")


def main() -> int:
    """Run the benchmarks named, or all; return 1 if a budget was missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help="connections, pipeline; none: both")
    parser.add_argument("--connections", type=int, default=5_000, metavar="N")
    parser.add_argument("--events", type=int, default=60_000, metavar="N", help="in the backlog of plain publications")
    parser.add_argument("--rate", type=int, default=500, metavar="N", help="events a second while latency is measured")
    parser.add_argument("--seconds", type=int, default=15, metavar="S", help="how long latency is measured")
    options = parser.parse_args()
    wanted = options.benchmarks or [connections.NAME, pipeline.NAME]
    figures: list[Figure] = []
    if connections.NAME in wanted:
        figures += uvloop.run(connections.measure(options.connections))
    if pipeline.NAME in wanted:
        figures += uvloop.run(pipeline.measure(options.events, rate=options.rate, seconds=options.seconds))
    print(table(figures))
    print(f"\nKept in {keep(figures, _RESULTS)}")
    return 1 if any(each.verdict == "MISS" for each in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
