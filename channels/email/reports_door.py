"""The door for reports about mails: an LMTP listener, to which a mail server hands what comes to the return path.

Strangers write these messages: each is bounded, and heeded only where it proves to be about a mail of ours. What is no
report is taken and dropped: a refusal would only bounce. Where Redis is away, the mail server is told to come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from channels.email.lmtp import After, Conversation
from channels.email.lmtp_input import LmtpInput
from hub.domain.errors import InputError, StoreUnavailable
from hub.domain.mail_reports import Report, read_report
from hub.observe import MAIL_REPORTS, STORE_ERRORS, logger

_log = logger(__name__)
CONVERSATIONS_MAX = 32
"""At once; more are told to come again."""
_BYE_S = 1.0
_IDLE_S = 60.0
_MESSAGE_S = 120.0


class Reports(Protocol):
    """Who heeds reports (`hub.service.feedback.mail_reports.MailReports`). Raises StoreUnavailable."""

    async def take(self, report: Report, *, trusted: bool, sent_to: str = "") -> object:
        """Heed a report that came to the address `sent_to`."""
        ...


@asynccontextmanager
async def reports_door(host: str, port: int, reports: Reports) -> AsyncIterator[int]:
    """Listen while the block runs; yield the port. Raises OSError where it cannot be listened on."""
    door = _Door(reports)
    server = await asyncio.start_server(door.converse, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await door.close()


class _Door:
    """The conversations that are open."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._open: set[asyncio.Task[None]] = set()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this in a task of its own.
        self._open.add(task)
        try:
            if len(self._open) > CONVERSATIONS_MAX:
                writer.write(b"421 4.3.2 Too many conversations, come again\r\n")
            else:
                await self._talk(LmtpInput(reader), writer)
        except (OSError, EOFError, TimeoutError):
            pass  # The other side has gone, is too slow, or speaks in lines without an end.
        except asyncio.CancelledError:
            # Only `close` cancels; whoever waits for this task must not be cancelled by its end.
            writer.transport.abort()
        finally:
            await _closed(writer)
            self._open.discard(task)

    async def close(self) -> None:
        """End every conversation. What was not answered comes again."""
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _talk(self, client: LmtpInput, writer: asyncio.StreamWriter) -> None:
        talk = Conversation("doorbell")
        text, after = talk.greeting(), After.COMMAND
        while True:
            writer.write(text.encode() + b"\r\n")
            async with asyncio.timeout(_IDLE_S):
                await writer.drain()
                if after is After.END:
                    return
                if after is After.COMMAND:
                    answer = talk.answer(await client.line())
                    text, after = answer.text, answer.after
                    continue
            async with asyncio.timeout(_MESSAGE_S):
                message = await client.message()
            text, after = "\r\n".join(await self._answers(message, talk.recipients)), After.COMMAND
            talk.forget()

    async def _answers(self, message: bytes | None, recipients: Sequence[str]) -> list[str]:
        """Return the answer for each recipient of a message; None is one that was too large."""
        if message is None:
            return ["552 5.3.4 Too large"] * len(recipients)
        try:
            report = read_report(message)
        except InputError as error:
            MAIL_REPORTS.labels("other", "unknown").inc()
            _log.info("mail_is_no_report", problem=error.problem)
            return ["250 2.0.0 Taken, though it is no report"] * len(recipients)
        return [await self._take(report, recipient) for recipient in recipients]

    async def _take(self, report: Report, recipient: str) -> str:
        """Return the answer for one recipient."""
        try:
            await self._reports.take(report, trusted=False, sent_to=recipient)
        except StoreUnavailable:
            STORE_ERRORS.labels("mail reports").inc()
            return "451 4.3.0 Come again"
        return "250 2.0.0 Taken"


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Close a connection after what was written, which the other side has a moment to read."""
    writer.close()
    try:
        async with asyncio.timeout(_BYE_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()
