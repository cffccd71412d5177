"""Where in a template something has gone wrong: the file and line, and what to write instead."""

from __future__ import annotations

import traceback

from jinja2 import TemplateNotFound, TemplatesNotFound, TemplateSyntaxError

from templates.texts import TemplateError

TRACEABLE = "template:"
"""What the loaders put before a template's name, so that it is known again in a traceback."""


def error_of(file: str, error: Exception) -> TemplateError:
    """Return the error for what Jinja2 or a filter has raised for `file`, or for one that it includes or extends."""
    if isinstance(error, TemplateSyntaxError):
        return TemplateError(error.name or file, error.message or "is no template", line=error.lineno)
    place, line = _place(error) or (file, None)
    return TemplateError(place, _problem(error), line=line)


def _place(error: Exception) -> tuple[str, int] | None:
    """Return the innermost template in a traceback, and its line."""
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        if name.startswith(TRACEABLE):
            found = name.removeprefix(TRACEABLE), line
    return found


def _problem(error: Exception) -> str:
    match error:
        case TemplatesNotFound() | TemplateNotFound():
            return f"there is no file {error.message}; write its path within the folder, such as layouts/email.html"
        case RecursionError():
            return "it includes or extends itself, in the end"
        case _:
            return f"{type(error).__name__}: {error}"
