"""What rendering gives: texts, and the error for a template that cannot give one."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from hub.domain.errors import DoorbellError


class InboxText(msgspec.Struct, frozen=True):
    """An inbox entry's text. Plain text, `title` one line without control characters."""

    title: str
    body: str


class EmailText(msgspec.Struct, frozen=True):
    """A mail's text. `subject` is one line without control characters; `html` is a whole document."""

    subject: str
    text: str
    html: str


class PushText(msgspec.Struct, frozen=True):
    """What a phone shows. Plain text, `title` one line without control characters."""

    title: str
    body: str


class SmsText(msgspec.Struct, frozen=True):
    """A text message, of a few short lines without other control characters."""

    body: str


Text: TypeAlias = InboxText | EmailText | PushText | SmsText


class TemplateError(DoorbellError):
    """A template is missing, or cannot be rendered with what it was given. Names the file, its line and the problem."""

    def __init__(self, file: str, problem: str, *, line: int | None = None) -> None:
        super().__init__(f"{file}: {problem}" if line is None else f"{file}:{line}: {problem}")
        self.file = file
        self.problem = problem
        self.line = line
