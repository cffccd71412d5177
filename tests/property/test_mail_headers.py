from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.email.address import mailbox, sender
from channels.email.headers import names
from channels.email.message import build
from hub.domain.errors import ConfigurationError
from hub.domain.ids import NotificationId
from templates.texts import EmailText

FEW = settings(max_examples=min(100, settings().max_examples))
SENDER = sender("Shop <no-reply@shop.example>")
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
]


def read(subject: str, text: str = "text", html: str = "<p>html</p>") -> EmailMessage:
    mail = build(
        NotificationId("n-1"),
        EmailText(subject, text, html),
        sender=SENDER,
        recipient="zoe@example.com",
        at_ms=1_767_261_600_000,
    )
    message = message_from_bytes(mail.message, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert max(map(len, mail.message.split(b"\r\n"))) <= 998
    assert b"\n" not in mail.message.replace(b"\r\n", b"")
    return message


@FEW
@given(st.text(max_size=400))
@example("hello\r\nBcc: x@example.com")
@example("hello\nBcc: x@example.com\n\nbody")
@example("=?utf-8?q?=0ABcc:_x@example.com?=")
@example("=?UTF-8?B?CkJjYzogeEBleGFtcGxlLmNvbQ==?=")
@example("==??utf-8?q?=0ABcc:_x?=?=")
@example("a\u2028Bcc: x@example.com\u2029b\x85c")
@example("\ud800")
@example("")
def test_no_subject_breaks_out_of_its_header(subject: str) -> None:
    message = read(subject)
    assert message.keys() == HEADERS
    assert message["To"] == "zoe@example.com"
    assert "\n" not in message["Subject"]


@FEW
@given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="=?"), max_size=200))
def test_an_honest_subject_arrives_as_it_was(subject: str) -> None:
    assert read(subject)["Subject"] == subject


def test_a_right_to_left_subject_keeps_the_marks_that_hold_its_values_apart() -> None:
    subject = "تم إلغاء طلبك \u2068A-1001\u2069"
    assert read(subject)["Subject"] == subject


@FEW
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")),
)
def test_bodies_arrive_as_they_were(text: str, html: str) -> None:
    message = read("Subject", text, html)
    plain, rich = message.iter_parts()
    assert plain.get_content() == text
    assert rich.get_content() == html


@FEW
@given(st.text(max_size=80))
@example("zoe@example.com\r\nRCPT TO:<x@example.com>")
@example("<zoe@example.com>")
@example("zoe@example.com> SIZE=1")
@example('"zoe x"@example.com')
@example("=?utf-8?q?x?=@example.com")
@example("a@b@c.example")
def test_an_address_is_one_plain_mailbox_or_none(address: str) -> None:
    found = mailbox(address)
    if found is not None:
        assert found.isascii()
        assert found.count("@") == 1
        assert not set(found) & set(' <>()[]\\,;:"\r\n\t\0')
        assert "=?" not in found


@FEW
@given(st.text(max_size=60))
def test_a_sender_name_stays_in_its_header(name: str) -> None:
    try:
        own = sender(f"{name} <no-reply@shop.example>")
    except ConfigurationError:
        return
    mail = build(NotificationId("n-1"), EmailText("s", "t", "h"), sender=own, recipient="z@example.com", at_ms=0)
    message = message_from_bytes(mail.message, policy=policy.default)
    assert message.keys() == HEADERS
    assert len(message["From"].addresses) == 1


@pytest.mark.parametrize(
    "address", ["zoe@bücher.example", "zoe@xn--bcher-kva.example", "a+b@example.com", "a@localhost"]
)
def test_ordinary_addresses_can_be_written_to(address: str) -> None:
    assert mailbox(address) is not None


@pytest.mark.parametrize("text", ["", "Shop", "Shop <>", "a b@c.example", "Shop <a@b@c>"])
def test_a_sender_without_a_mailbox_is_a_mistake(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"smtp\.sender"):
        sender(text)


@pytest.mark.parametrize(
    "head",
    [
        b"To: a\nBcc: b\r\n",
        b"To: a\r\n\r\nBcc: b\r\n",
        b"To: a\rBcc: b\r\n",
        b"To: a\x00\r\n",
        b"To: \xe9\r\n",
        b"To a\r\n",
    ],
)
def test_a_head_that_is_not_plain_to_read_has_no_headers(head: bytes) -> None:
    assert names(head) == []
