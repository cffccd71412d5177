"""LMTP (RFC 2033), as much of it as a mail server needs to hand us reports: one conversation, without its socket. Pure.

The mails themselves are read by who has the socket (`channels.email.reports_door`). Each recipient gets an answer of
its own after the mail, which is what LMTP is for: a mail server then knows which of them to try again.
"""

from __future__ import annotations

import re
from enum import Enum, auto

import msgspec

RECIPIENTS_MAX = 20
ERRORS_MAX = 10
"""Commands that make no sense; after the last one the conversation ends."""
_PATH = re.compile(rb"<([^<>\s]{0,254})>(?: [\x21-\x7e ]{0,500})?")
_OK = "250 2.0.0 OK"


class After(Enum):
    """What comes after an answer."""

    COMMAND = auto()
    MAIL = auto()
    """The mail, up to a line with a dot."""
    END = auto()


class Answer(msgspec.Struct, frozen=True):
    """One answer, maybe of several lines, and what comes after it."""

    text: str
    after: After = After.COMMAND


class Conversation:
    """What one client says, and what it is answered."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._greeted = False
        self._sender: str | None = None
        self._errors = 0
        self.recipients: list[str] = []
        """Whom the mail is for that comes next."""

    def greeting(self) -> str:
        """Return what is said first."""
        return f"220 {self._host} LMTP"

    def answer(self, line: bytes) -> Answer:
        """Return the answer to a command, which comes without its line end."""
        verb, _, argument = line.strip().partition(b" ")
        match verb.upper():
            case b"LHLO":
                self._greeted = True
                self.forget()
                lines = (self._host, "PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
                return Answer("\r\n".join([*(f"250-{each}" for each in lines[:-1]), f"250 {lines[-1]}"]))
            case b"MAIL":
                return self._mail(argument)
            case b"RCPT":
                return self._rcpt(argument)
            case b"DATA":
                return self._data()
            case b"RSET":
                self.forget()
                return Answer(_OK)
            case b"NOOP":
                return Answer(_OK)
            case b"QUIT":
                return Answer("221 2.0.0 Bye", After.END)
            case _:
                return self._error("500 5.5.1 Unknown command")

    def forget(self) -> None:
        """Begin anew: after a mail, or where one is given up."""
        self._sender = None
        self.recipients = []

    def _mail(self, argument: bytes) -> Answer:
        path = _path(argument, b"FROM:")
        if not self._greeted or self._sender is not None:
            return self._error("503 5.5.1 MAIL comes after LHLO, and once")
        if path is None:
            return self._error("501 5.5.4 Say MAIL FROM:<address>")
        self._sender = path
        return Answer(_OK)

    def _rcpt(self, argument: bytes) -> Answer:
        path = _path(argument, b"TO:")
        if self._sender is None:
            return self._error("503 5.5.1 RCPT comes after MAIL")
        if not path:
            return self._error("501 5.5.4 Say RCPT TO:<address>")
        if len(self.recipients) >= RECIPIENTS_MAX:
            return Answer("452 4.5.3 Too many recipients")
        self.recipients.append(path)
        return Answer("250 2.1.5 OK")

    def _data(self) -> Answer:
        if not self.recipients:
            return self._error("503 5.5.1 DATA comes after RCPT")
        return Answer("354 End with a line of a dot", After.MAIL)

    def _error(self, text: str) -> Answer:
        self._errors += 1
        if self._errors < ERRORS_MAX:
            return Answer(text)
        return Answer("421 4.7.0 Too many errors", After.END)


def _path(argument: bytes, keyword: bytes) -> str | None:
    """Return the address in `FROM:<address>`, empty for the sender of bounces, None where there is no such thing."""
    if argument[: len(keyword)].upper() != keyword:
        return None
    match = _PATH.fullmatch(argument[len(keyword) :].strip())
    return match[1].decode("utf-8", "replace") if match else None
