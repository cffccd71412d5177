"""Links within a mail's texts: found, and put in anew. Pure.

In plain text they are found as mail programs find them: from `http` to the next space, without the punctuation behind.
In HTML they are the targets of `<a>`; a bare one becomes an `<a>`, which it is for most programs as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape

Change = Callable[[str], str]
"""Takes a URL, and returns the one to put in its place, or the same."""

_URL_PATTERN = r"https?://[^\s<>\"'\u2066-\u2069]+"
# Whoever shouts HTTPS:// is not heard: a pattern that begins with fixed letters is found ten times as fast.
_URL = re.compile(_URL_PATTERN)
_BEHIND = ".,;:!?…)]}»”\u2019*"
_OPENING = {")": "(", "]": "[", "}": "{"}
_TAG = r"(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>"
_HTML = re.compile(
    rf"<!--.*?-->|<(?P<silent>style|script|title)\b.*?</(?P=silent)\s*>"
    rf"|(?P<anchor><a\b{_TAG})(?P<words>.*?</a\s*>)|<{_TAG}|(?P<bare>{_URL_PATTERN})",
    re.IGNORECASE | re.DOTALL,
)
_HREF_BEFORE = 'href="'
_HREF = re.compile(r"""(\bhref\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", re.IGNORECASE)


def in_text(text: str, change: Change) -> str:
    """Return a plain text with each of its URLs changed."""
    return _URL.sub(lambda found: _changed(found[0], change), text) if "://" in text else text


def in_html(html: str, change: Change, *, label: Change) -> str:
    """Return HTML with the target of each `<a>` changed, and bare URLs that change made an `<a>`.

    What people read there is `label` of the URL.
    """
    # Most mails have only links that are good already; finding that out costs a tenth of reading them tag by tag.
    if all(_is_good(found, change, label) for found in _URL.finditer(html)):
        return html

    def put(found: re.Match[str]) -> str:
        if found["anchor"]:
            return _HREF.sub(lambda href: _changed_href(href, change), found["anchor"], count=1) + found["words"]
        return _anchor(unescape(found["bare"]), change, label) if found["bare"] else found[0]

    return _HTML.sub(put, html)


def _is_good(found: re.Match[str], change: Change, label: Change) -> bool:
    url = unescape(found[0])
    return change(url) == url and (found.string.endswith(_HREF_BEFORE, 0, found.start()) or label(url) == url)


def _changed(found: str, change: Change) -> str:
    url = _without_punctuation(found)
    return change(url) + found[len(url) :]


def _changed_href(href: re.Match[str], change: Change) -> str:
    url = unescape(next(group for group in href.groups()[1:] if group is not None)).strip()
    return f'{href[1]}"{escape(change(url))}"'


def _anchor(found: str, change: Change, label: Change) -> str:
    match = _URL.match(found)
    url = _without_punctuation(match[0]) if match else ""
    behind = escape(found[len(url) :])
    target, words = change(url), label(url)
    if target == words:
        return escape(url) + behind
    return f'<a href="{escape(target)}" style="color:inherit">{escape(words)}</a>{behind}'


def _without_punctuation(url: str) -> str:
    """Return a URL without what ends the sentence or bracket that it stands in."""
    while url[-1] in _BEHIND:
        opening = _OPENING.get(url[-1])
        if opening is not None and url.count(opening) >= url.count(url[-1]):
            break
        url = url[:-1]
    return url
