"""Checks of a template's source, for what samples do not show: branches not taken, links, blocks, tags. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from html.parser import HTMLParser
from typing import TypeAlias

from jinja2 import Environment, meta, nodes

Problem: TypeAlias = tuple[int, str]
"""The line, counted from 1, and what is wrong there."""

_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']*))""", re.IGNORECASE)
_URL = re.compile(r"\b([a-z][a-z0-9+.-]*)://[^\s\"'<>]*", re.IGNORECASE)
_THE_LINK = re.compile(r"\{\{-?\s*(?:(?:preferences|unsubscribe)_)?link\s*-?\}\}")
# What a reader may be led to by a template's own words; a host must follow, so that no value can name it.
_GOOD_START = re.compile(r"https://[a-z0-9]|mailto:[a-z0-9]|tel:\+?[0-9]", re.IGNORECASE)
_SECURE = "https"
_TEMPLATE_CODE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"])


def unknown_variables(source: str, *, environment: Environment, known: Collection[str]) -> list[tuple[int, str]]:
    """Return the variables that a template names and nobody gives it, with their lines, sorted, from all its branches.

    Raises jinja2.TemplateSyntaxError.
    """
    tree = environment.parse(source)
    unknown = meta.find_undeclared_variables(tree) - set(known)
    lines: dict[str, int] = {}
    for name in tree.find_all(nodes.Name):
        if name.name in unknown:
            lines.setdefault(name.name, name.lineno)
    return sorted((lines.get(name, 1), name) for name in unknown)


def broken_links(source: str) -> Iterator[Problem]:
    """Return what is wrong with each link: one that is empty, not https, or made of other values than `link`."""
    for match in _HREF.finditer(source):
        target = next((group for group in match.groups() if group is not None), "").strip()
        if not target:
            yield _line(match), "an href is empty; write {{ link }} or an https URL"
        elif not _THE_LINK.fullmatch(target) and not _GOOD_START.match(target):
            yield _line(match), f"the link {target} is neither {{{{ link }}}} nor an https URL"
    for match in _URL.finditer(_HREF.sub(lambda href: "\n" * href[0].count("\n"), source)):
        if match[1].lower() != _SECURE or not _GOOD_START.match(match[0]):
            yield _line(match), f"the link {match[0]} is no https URL"


def lost_words(source: str, *, environment: Environment, source_of: Callable[[str], str]) -> Iterator[Problem]:
    """Return what a template that extends a layout says in vain: in a block that the layout lacks, or in none.

    Raises jinja2.TemplateError.
    """
    tree = environment.parse(source)
    layout = next((_constant(each.template) for each in tree.find_all(nodes.Extends)), None)
    if layout is None:
        return
    places = {block.name for block in environment.parse(source_of(layout)).find_all(nodes.Block)}
    own = list(tree.find_all(nodes.Block))
    nested = {inner.name for block in own for inner in block.find_all(nodes.Block)}
    for block in own:
        if block.name not in places | nested:
            yield block.lineno, f"{layout} has no block {block.name}; write one of {', '.join(sorted(places))}"
    for output in tree.body:
        line = next(filter(None, map(_line_of, output.nodes)), None) if isinstance(output, nodes.Output) else None
        if line is not None:
            yield line, "what stands outside of the blocks is not shown; put it into one"


def unbalanced(html: str) -> Problem | None:
    """Return the first tag that is not closed, or closes nothing; template code in it is passed over."""
    bare = _TEMPLATE_CODE.sub(lambda code: "\n" * code[0].count("\n"), html)
    parser = _Tags()
    parser.feed(bare)
    parser.close()
    if parser.problem is None and parser.open:
        tag, line = parser.open[-1]
        return line, f"<{tag}> is not closed"
    return parser.problem


def line_of_tag(problem: str, source: str) -> int | None:
    """Return the line of a tag that does not fit in the source as well as in the text made of it."""
    tag = unbalanced(source)
    return tag[0] if tag is not None and tag[1] == problem else None


class _Tags(HTMLParser):
    """Follows tags until one does not fit."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, int]] = []
        self.problem: Problem | None = None

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Note a tag that has to be closed."""
        if tag not in _VOID:
            self.open.append((tag, self.getpos()[0]))

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """Pass over a tag that closes itself."""

    def handle_endtag(self, tag: str) -> None:
        """Take a tag off that is closed."""
        if self.problem is not None or tag in _VOID:
            return
        if self.open and self.open[-1][0] == tag:
            self.open.pop()
        elif any(name == tag for name, _ in self.open):
            name, line = self.open[-1]
            self.problem = line, f"<{name}> is not closed before </{tag}>"
        else:
            self.problem = self.getpos()[0], f"</{tag}> closes nothing"


def _line_of(node: nodes.Node) -> int | None:
    """Return the line in which a part of the output begins, None where it is nothing but space."""
    if not isinstance(node, nodes.TemplateData):
        return node.lineno
    words = node.data.lstrip()
    return node.lineno + node.data.count("\n", 0, len(node.data) - len(words)) if words else None


def _constant(node: nodes.Node) -> str | None:
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else None


def _line(match: re.Match[str]) -> int:
    return match.string.count("\n", 0, match.start()) + 1
