import contextlib
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.domain.errors import InputError
from hub.domain.mail_reports import RECIPIENTS_MAX, Bounce, Complaint, read_report
from tests.mail_reports import bounce, complaint

MEGABYTE = 1_048_576
QUICK_S = 2.0
"""Far above what a megabyte takes, even on a machine with much else to do; a quadratic step takes minutes."""


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A report out of which something was cut, and into which something was put."""
    raw = draw(st.sampled_from([bounce(), complaint(), bounce(mark="a.b")]))
    begin = draw(st.integers(0, len(raw)))
    end = draw(st.integers(begin, min(len(raw), begin + 200)))
    return raw[:begin] + draw(st.binary(max_size=50)) + raw[end:]


@given(st.binary() | spoiled())
@example(b"\n\n")
@example(b"Content-Type: multipart/report; boundary=\xff\n\n--\xff\n")
def test_anything_is_a_report_or_refused(raw: bytes) -> None:
    try:
        report = read_report(raw)
    except InputError:
        return
    if isinstance(report, Bounce):
        assert 1 <= len(report.outcomes) <= RECIPIENTS_MAX
        assert all(len(each.detail) <= 200 and "\n" not in each.recipient for each in report.outcomes)
    else:
        assert isinstance(report, Complaint)
        assert 1 <= len(report.kind) <= 64


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: multipart/report; boundary=x\n\n" + b"--x\n" * (MEGABYTE // 4),
        b"Content-Type: multipart/report; boundary=x\n\n"
        + b"--x\nContent-Type: multipart/mixed; boundary=x\n\n" * 20_000,
        b"A:" + b"\n b" * (MEGABYTE // 3),
        b"\n \n" * (MEGABYTE // 3),
        b"\n" + b" " * MEGABYTE,
        b"Content-Type: " + b"(" * MEGABYTE,
        bounce().replace(
            b"Final-Recipient: rfc822; zoe@example.com", b"Final-Recipient: rfc822; zoe@e\r\n\r\n" * 40_000
        ),
        bounce(recipient="@" * MEGABYTE),
        bounce(recipient="<" * MEGABYTE),
        bounce(diagnostic="5" * MEGABYTE),
        bounce(status="5." * (MEGABYTE // 2)),
        bounce(mark="a " * (MEGABYTE // 2)),
        complaint().replace(b"Version: 1\r\n", (b"Original-Rcpt-To: " + b"@" * 1_900 + b";\r\n") * 50),
        complaint().replace(b"Version: 1\r\n", (b"Original-Rcpt-To: " + b"<a@" * 600 + b"\r\n") * 50),
    ],
    ids=range(14),
)
def test_a_hostile_megabyte_takes_no_longer_than_any_other(raw: bytes) -> None:
    begun_s = time.process_time()
    with contextlib.suppress(InputError):
        read_report(raw)
    assert time.process_time() - begun_s < QUICK_S
