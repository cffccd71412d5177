import pytest

from channels.email.lmtp import ERRORS_MAX, RECIPIENTS_MAX, After, Answer, Conversation


def talk(*lines: bytes) -> Answer:
    """The answer to the last of some commands."""
    conversation = Conversation("doorbell")
    answers = [conversation.answer(line) for line in lines]
    return answers[-1]


HELLO = b"LHLO relay.example"
FROM_NOBODY = b"MAIL FROM:<>"
TO_BOUNCES = b"RCPT TO:<bounces@shop.example>"


def test_a_bounce_is_taken_up_to_its_content() -> None:
    conversation = Conversation("doorbell")
    assert conversation.greeting() == "220 doorbell LMTP"
    codes = [conversation.answer(line).text[:3] for line in (HELLO, FROM_NOBODY, TO_BOUNCES)]
    assert codes == ["250"] * 3
    assert conversation.answer(b"data") == Answer("354 End with a line of a dot", After.MAIL)
    assert conversation.recipients == ["bounces@shop.example"]


def test_the_greeting_tells_what_is_understood() -> None:
    lines = talk(HELLO).text.split("\r\n")
    assert lines[0] == "250-doorbell"
    assert lines[-1].startswith("250 ")
    assert "250-PIPELINING" in lines


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([b"EHLO x"], "500"),
        ([b""], "500"),
        ([b"\xff\xfe"], "500"),
        ([FROM_NOBODY], "503"),
        ([HELLO, TO_BOUNCES], "503"),
        ([HELLO, b"DATA"], "503"),
        ([HELLO, FROM_NOBODY, FROM_NOBODY], "503"),
        ([HELLO, b"MAIL TO:<a@b>"], "501"),
        ([HELLO, b"MAIL FROM:a@b"], "501"),
        ([HELLO, FROM_NOBODY, b"RCPT TO:<>"], "501"),
        ([HELLO, FROM_NOBODY, b"RCPT TO:<" + b"a" * 300 + b">"], "501"),
        ([HELLO, FROM_NOBODY, TO_BOUNCES, b"RSET", b"DATA"], "503"),
        ([HELLO, b"MAIL FROM:<a@b> SIZE=100 BODY=8BITMIME"], "250"),
        ([HELLO, FROM_NOBODY, b"rcpt to: <a@b>"], "250"),
        ([b"NOOP"], "250"),
        ([b"QUIT"], "221"),
    ],
)
def test_every_command_has_its_answer(lines: list[bytes], code: str) -> None:
    assert talk(*lines).text.startswith(code)


def test_more_recipients_than_there_is_room_for_come_again() -> None:
    assert talk(HELLO, FROM_NOBODY, *[TO_BOUNCES] * (RECIPIENTS_MAX + 1)).text.startswith("452 4.5.3")


def test_who_makes_no_sense_is_not_listened_to_for_ever() -> None:
    assert talk(*[b"GET / HTTP/1.1"] * (ERRORS_MAX - 1)).after is After.COMMAND
    assert talk(*[b"GET / HTTP/1.1"] * ERRORS_MAX).after is After.END
