"""Styles inlined: mail programs drop style sheets, so a plain `<p>` of a template gets its style when it is loaded.

Authors write bare tags; a tag with attributes of its own is left alone. Dark mode goes by the classes set here, in the
one `<style>` of the layout, for the programs that read it.
"""

from __future__ import annotations

import re

_STYLES = {
    "p": ("text", "margin:0 0 16px;font-size:16px;line-height:24px;color:#1f2933"),
    "h1": ("title", "margin:0 0 16px;font-size:24px;line-height:32px;font-weight:700;color:#102a43"),
    "ul": ("text", "margin:0 0 16px;padding:0 0 0 20px;font-size:16px;line-height:24px;color:#1f2933"),
    "small": ("muted", "font-size:13px;line-height:20px;color:#52606d"),
}
_BARE = re.compile(f"<({'|'.join(_STYLES)})>")


def inlined(source: str) -> str:
    """Return the HTML with the style of each bare tag written into it."""
    return _BARE.sub(_with_style, source)


def _with_style(tag: re.Match[str]) -> str:
    name = tag[1]
    css_class, style = _STYLES[name]
    return f'<{name} class="{css_class}" style="{style}">'
