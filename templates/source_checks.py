"""Checks of a template's source, for what samples do not show when rendered: branches not taken, and links. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from jinja2 import Environment, meta

_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']*))""", re.IGNORECASE)
_URL = re.compile(r"\b([a-z][a-z0-9+.-]*)://[^\s\"'<>]*", re.IGNORECASE)
_THE_LINK = re.compile(r"\{\{-?\s*(?:(?:preferences|unsubscribe)_)?link\s*-?\}\}")
# What a reader may be led to by a template's own words; a host must follow, so that no value can name it.
_GOOD_START = re.compile(r"https://[a-z0-9]|mailto:[a-z0-9]|tel:\+?[0-9]", re.IGNORECASE)
_SECURE = "https"


def unknown_variables(source: str, *, environment: Environment, known: Collection[str]) -> list[str]:
    """Return the variables that a template names and nobody gives it, sorted, from all its branches.

    Raises jinja2.TemplateSyntaxError.
    """
    return sorted(meta.find_undeclared_variables(environment.parse(source)) - set(known))


def broken_links(source: str) -> Iterator[str]:
    """Return what is wrong with each link: one that is empty, not https, or made of other values than `link`."""
    for match in _HREF.finditer(source):
        target = next((group for group in match.groups() if group is not None), "").strip()
        if not target:
            yield "an href is empty; write {{ link }} or an https URL"
        elif not _THE_LINK.fullmatch(target) and not _GOOD_START.match(target):
            yield f"the link {target} is neither {{{{ link }}}} nor an https URL"
    for match in _URL.finditer(_HREF.sub("", source)):
        if match[1].lower() != _SECURE or not _GOOD_START.match(match[0]):
            yield f"the link {match[0]} is no https URL"
