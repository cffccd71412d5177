"""`make conformance`: run the suite against Doorbell and the library it uses, and write the table of the docs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import uvloop

from tests.conformance.autobahn import Verdict, librarys_echo_server, table, verdicts_of
from tests.conformance.echo import echo_server

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"
_TABLE = re.compile(r"(?<=<!-- results -->\n\n).*?(?=\n\n<!-- end of results -->)", re.DOTALL)


async def _run() -> tuple[list[Verdict], list[Verdict]]:
    async with echo_server() as url:
        ours = await verdicts_of(url)
    async with librarys_echo_server() as url:
        return ours, await verdicts_of(url)


def main() -> int:
    """Return 1 if a case fails that the library passes."""
    ours, librarys = uvloop.run(_run())
    results = table({"Doorbell": ours, "websockets": librarys})
    _PAGE.write_text(_TABLE.sub(lambda _: results, _PAGE.read_text()))
    print(results)
    excused = {each.case for each in librarys if not each.passed}
    worse = [each.case for each in ours if not each.passed and each.case not in excused]
    print(f"\nWritten to {_PAGE}" + (f"\nFailed, though the library passes: {', '.join(worse)}" if worse else ""))
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
