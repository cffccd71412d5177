"""The socket keeps RFC 6455, as far as the Autobahn suite's cases look."""

from tests.conformance.autobahn import GROUPS, table, verdicts_of
from tests.conformance.echo import echo_server

_LIBRARYS = {"7.1.5"}
"""A close frame in the middle of a fragmented message is answered with 1002 instead of 1000: the parser's reading."""


async def test_every_case_passes_that_the_library_passes() -> None:
    async with echo_server() as url:
        verdicts = await verdicts_of(url)
    assert {each.case for each in verdicts if not each.passed} == _LIBRARYS
    assert {each.group for each in verdicts} == {*GROUPS}
    assert table({"ours": verdicts}).splitlines()[-1].endswith("1 failed (7.1.5) |")
