import base64

import pytest

from hub.domain.errors import InputError
from hub.domain.mail_reports import Bounce, Complaint, Original, Outcome, Severity, read_report
from tests.mail_reports import bounce, complaint


def outcome(raw: bytes) -> Outcome:
    report = read_report(raw)
    assert isinstance(report, Bounce)
    (only,) = report.outcomes
    return only


def test_a_bounce_says_who_was_not_reached_and_why() -> None:
    report = read_report(bounce(mark="a.b"))
    assert report == Bounce(
        (
            Outcome(
                "zoe@example.com",
                "failed",
                "5.1.1",
                "550 5.1.1 <zoe@example.com>: Recipient address rejected: no such user",
            ),
        ),
        Original("<n-1@shop.example>", "a.b"),
    )


def test_a_complaint_says_of_what_kind_it_is_and_about_whom() -> None:
    report = read_report(complaint(mark="a.b"))
    assert report == Complaint("abuse", ("zoe@example.com",), Original("<n-1@shop.example>", "a.b"))
    assert report.is_against


def test_a_report_that_takes_a_complaint_back_is_not_against_anybody() -> None:
    report = read_report(complaint(kind="not-spam"))
    assert isinstance(report, Complaint)
    assert not report.is_against


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        ("5.1.1", Severity.HARD),
        ("5.1.2", Severity.HARD),
        ("5.1.10", Severity.HARD),
        ("5.2.1", Severity.HARD),
        ("5.1.8", Severity.NONE),
        ("4.1.1", Severity.SOFT),
        ("5.2.2", Severity.SOFT),
        ("4.2.2", Severity.SOFT),
        ("4.4.7", Severity.SOFT),
        ("5.4.4", Severity.SOFT),
        ("5.7.1", Severity.NONE),
        ("5.6.0", Severity.NONE),
        ("5.3.4", Severity.NONE),
    ],
)
def test_a_status_tells_whether_the_address_is_bad(status: str, severity: Severity) -> None:
    assert outcome(bounce(status=status)).severity is severity


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_what_has_not_failed_says_nothing_against_an_address(action: str) -> None:
    assert outcome(bounce(action=action, status="4.4.1")).severity is Severity.NONE


@pytest.mark.parametrize(
    ("status", "diagnostic", "expected"),
    [
        ("5.0.0", "550 5.1.1 no such user", "5.1.1"),
        ("5.1.1", "550 5.7.1 anything else", "5.1.1"),
        ("5.0.0", "550 no such user", "5.0.0"),
        ("?", "550 user unknown", "5.0.0"),
        ("?", "no words at all", ""),
        ("5.1.1 (bad destination mailbox address)", "550", "5.1.1"),
    ],
)
def test_an_undefined_status_is_taken_from_the_answer_of_the_other_server(
    status: str, diagnostic: str, expected: str
) -> None:
    assert outcome(bounce(status=status, diagnostic=diagnostic)).status == expected


def test_every_recipient_of_a_bounce_is_told() -> None:
    two = bounce().replace(
        b"\r\n\r\n--9B3F", b"\r\n\r\nFinal-Recipient: rfc822; yan@example.com\r\nAction: delayed\r\n\r\n--9B3F"
    )
    report = read_report(two)
    assert isinstance(report, Bounce)
    assert [(each.recipient, each.action) for each in report.outcomes] == [
        ("zoe@example.com", "failed"),
        ("yan@example.com", "delayed"),
    ]


def test_a_part_that_was_encoded_for_its_way_is_read() -> None:
    head, start, rest = bounce().partition(b"Content-Type: message/delivery-status\r\n\r\n")
    status, end, tail = rest.partition(b"\r\n\r\n--9B3F")
    encoded = base64.encodebytes(status).replace(b"\n", b"\r\n")
    raw = head + start[:-2] + b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded + end + tail
    assert outcome(raw).recipient == "zoe@example.com"


def test_a_mark_that_was_folded_on_its_way_is_put_together() -> None:
    assert read_report(bounce(mark="abc\n def")).original.mark == "abcdef"


def test_a_boundary_that_another_one_begins_with_divides_nothing() -> None:
    raw = bounce().replace(b"This is the mail system", b"--9B3F04010C.1764842400/relay.example-not\r\nThis is")
    assert outcome(raw).recipient == "zoe@example.com"


REPORT = b"Content-Type: multipart/report; boundary=x\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"Subject: Out of office\r\n\r\nI am away.",
        REPORT + b"no parts",
        REPORT + b"--x\r\nContent-Type: message/delivery-status\r\n\r\n\r\n--x--",
        REPORT + b"--x\r\nContent-Type: message/feedback-report\r\n\r\nA: b\r\n",
        bounce().replace(b"boundary=", b"border="),
    ],
)
def test_what_is_no_report_is_refused(raw: bytes) -> None:
    with pytest.raises(InputError, match="message"):
        read_report(raw)


@pytest.mark.parametrize("address", ["", "no address", "a@b@c d", "a@b@c", "<>", "x" * 300 + "@example.com", "unknown"])
def test_what_is_no_address_is_told_as_none(address: str) -> None:
    assert outcome(bounce(recipient=address)).recipient == ""


def test_what_others_say_is_bounded() -> None:
    told = outcome(bounce(diagnostic="550 " + "x" * 10_000))
    assert len(told.detail) == 200
