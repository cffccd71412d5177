"""Reports handed over by LMTP, by the standard library's client, as a mail server would."""

import asyncio
import contextlib
import smtplib
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from channels.email.lmtp import RECIPIENTS_MAX
from channels.email.lmtp_input import MESSAGE_MAX_BYTES
from channels.email.reports_door import CONVERSATIONS_MAX, reports_door
from hub.domain.errors import StoreUnavailable
from hub.domain.mail_reports import Bounce, Complaint, Report
from tests.mail_reports import bounce, complaint

BOUNCES = "bounces+x@shop.example"


class Reports:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.taken: list[tuple[Report, bool, str]] = []
        self.away = False

    async def take(self, report: Report, *, trusted: bool, sent_to: str = "") -> None:
        if self.away:
            raise StoreUnavailable("redis is away")
        self.taken.append((report, trusted, sent_to))


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
async def port(reports: Reports) -> AsyncIterator[int]:
    async with reports_door("127.0.0.1", 0, reports) as bound:
        yield bound


async def client(act: Callable[[smtplib.LMTP], object], port: int) -> object:
    """Do something as a client, beside the loop; say what comes of it."""

    def run() -> object:
        with smtplib.LMTP("127.0.0.1", port, timeout=10.0) as lmtp:
            return act(lmtp)

    return await asyncio.to_thread(run)


def hand_over(*messages: bytes) -> Callable[[smtplib.LMTP], object]:
    return lambda lmtp: [lmtp.sendmail("", [BOUNCES], message) for message in messages]


async def talk(port: int, recipients: bytes, message: bytes) -> list[str]:
    """Say all of a conversation at once; return the lines of the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"LHLO x\r\nMAIL FROM:<>\r\n" + recipients + b"DATA\r\n" + message + b"\r\n.\r\nQUIT\r\n")
    answers = (await reader.read()).decode().splitlines()
    writer.close()
    return answers


async def test_a_bounce_is_taken_and_not_believed_without_a_proof(port: int, reports: Reports) -> None:
    assert await client(hand_over(bounce(mark="a.b")), port) == [{}]
    ((report, trusted, sent_to),) = reports.taken
    assert isinstance(report, Bounce)
    assert report.original.mark == "a.b"
    assert (trusted, sent_to) == (False, BOUNCES)


async def test_several_reports_come_over_one_connection(port: int, reports: Reports) -> None:
    await client(hand_over(bounce(), complaint(), bounce()), port)
    assert [type(report) for report, _, _ in reports.taken] == [Bounce, Complaint, Bounce]


async def test_a_line_of_dots_arrives_as_it_was(port: int, reports: Reports) -> None:
    await client(hand_over(bounce(diagnostic="550 5.1.1 a\r\n .\r\n ..b")), port)
    ((report, _, _),) = reports.taken
    assert isinstance(report, Bounce)
    assert report.outcomes[0].detail == "550 5.1.1 a . ..b"


async def test_each_recipient_has_an_answer(port: int, reports: Reports) -> None:
    answers = await talk(port, b"RCPT TO:<a@shop.example>\r\nRCPT TO:<b@shop.example>\r\n", bounce())
    assert answers[-3:] == ["250 2.0.0 Taken", "250 2.0.0 Taken", "221 2.0.0 Bye"]
    assert [sent_to for _, _, sent_to in reports.taken] == ["a@shop.example", "b@shop.example"]


async def test_a_message_to_many_is_read_once(port: int, reports: Reports) -> None:
    await talk(port, b"RCPT TO:<a@shop.example>\r\n" * RECIPIENTS_MAX, bounce())
    assert len(reports.taken) == RECIPIENTS_MAX
    assert len({id(report) for report, _, _ in reports.taken}) == 1


async def test_what_is_no_report_is_taken_and_dropped(port: int, reports: Reports) -> None:
    assert await client(hand_over(b"Subject: Out of office\r\n\r\nI am away.\r\n"), port) == [{}]
    assert reports.taken == []


async def test_while_redis_is_away_the_mail_server_comes_again(port: int, reports: Reports) -> None:
    reports.away = True
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await client(hand_over(bounce()), port)
    assert refused.value.smtp_code == 451


async def test_a_message_that_is_too_large_is_refused_and_the_next_one_taken(port: int, reports: Reports) -> None:
    def act(lmtp: smtplib.LMTP) -> None:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            lmtp.sendmail("", [BOUNCES], b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * (MESSAGE_MAX_BYTES // 72))
        assert refused.value.smtp_code == 552
        lmtp.sendmail("", [BOUNCES], bounce())

    await client(act, port)
    assert len(reports.taken) == 1


async def test_a_line_without_an_end_ends_the_conversation(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    writer.write(b"x" * 200_000)
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()


async def test_a_bare_line_feed_does_not_end_a_message(port: int, reports: Reports) -> None:
    hidden = bounce().replace(b"This is the mail system", b"a\n.\r\nMAIL FROM:<>\r\nThis is the mail system")
    answers = await talk(port, b"RCPT TO:<b@shop.example>\r\n", hidden)
    assert answers[-2:] == ["250 2.0.0 Taken", "221 2.0.0 Bye"]
    assert len(reports.taken) == 1


async def test_more_conversations_than_there_is_room_for_come_again(port: int) -> None:
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONVERSATIONS_MAX)]
    assert [(await reader.readline())[:3] for reader, _ in held] == [b"220"] * CONVERSATIONS_MAX
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert (await reader.read()).startswith(b"421 4.3.2")
    for _, each in [*held, (reader, writer)]:
        each.close()


async def test_a_door_that_closes_ends_its_conversations(reports: Reports) -> None:
    async with reports_door("127.0.0.1", 0, reports) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
    assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5.0)
