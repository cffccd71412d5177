"""`python -m loadtest.report RUN.json`: makes the page of a run that was kept, beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from loadtest.report.page import page


def main() -> int:
    """Write the page; return 2 where no record is named."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    record = Path(sys.argv[1])
    shown = record.with_suffix(".html")
    shown.write_text(page(json.loads(record.read_text(encoding="utf-8"))), encoding="utf-8")
    print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
