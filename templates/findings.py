"""What a check of templates finds."""

from __future__ import annotations

import msgspec

from templates.texts import TemplateError


class Finding(msgspec.Struct, frozen=True):
    """Something wrong with a template. `file` is relative to its folder: `de/order-placed/email.html`."""

    file: str
    problem: str
    line: int | None = None
    """Counted from 1; None where it is not about one line."""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.problem}"


def finding_of(error: TemplateError) -> Finding:
    """Return the finding that an error is."""
    return Finding(error.file, error.problem, error.line)
