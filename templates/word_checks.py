"""Checks of the words of each locale against the built-in ones: what is missing, unknown, or not filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from templates.catalog import LAST_RESORT, PLURAL_FORMS, Catalog
from templates.findings import Finding

_OPEN = ("category_", "channel_")
"""Beginnings of words that an installation adds to: it may have categories and channels of its own."""
_MENTIONED = re.compile(r"""\bwords\.(?!get\b)(\w+)|\bwords(?:\.get\(|\[)\s*["'](\w+)|\bplural\(\s*["'](\w+)""")
_PLACE = re.compile(r"\{[^{}]*\}")
_PLACES: Mapping[str, tuple[str, ...]] = {"day_at_time": ("{day}", "{time}")}
_COUNT = "{n}"


def wrong_words(catalog: Catalog) -> Iterator[Finding]:
    """Find what is wrong with the words of every locale."""
    known = _known(catalog)
    english = catalog.words(LAST_RESORT)
    default = catalog.words(catalog.default_locale)
    for locale in catalog.locales():
        file = f"{locale}/words.toml"
        for name in catalog.missing_words(locale):
            if not _is_known(name, known):
                continue  # A mistake itself, in another language.
            text = default.get(name) or english[name]
            yield Finding(file, f'{name} must be there, or texts mix languages; elsewhere it is "{text}"')
        for name, text in catalog.own_words(locale).items():
            if not _is_known(name, known):
                yield Finding(file, f"no text uses the word {name}; {_advice(name, known)}")
            for problem in _wrong_places(name, text):
                yield Finding(file, problem)


def _known(catalog: Catalog) -> set[str]:
    """Return the words that are built in or that any text mentions, plurals without their forms."""
    mentions = (match for source in catalog.sources() for match in _MENTIONED.finditer(source))
    return {
        _base(name) for name in (*catalog.shipped_words(), *(next(filter(None, each.groups())) for each in mentions))
    }


def _is_known(name: str, known: set[str]) -> bool:
    return _base(name) in known or name.startswith(_OPEN)


def _base(name: str) -> str:
    """Return a word's name without the form of a plural."""
    return next((name.removesuffix(form) for form in (*PLURAL_FORMS, "_other") if name.endswith(form)), name)


def _advice(name: str, known: set[str]) -> str:
    near = get_close_matches(_base(name), known, n=1)
    return f"write {near[0]}, or take it out" if near else "take it out"


def _wrong_places(name: str, text: str) -> Iterator[str]:
    is_plural = name.endswith((*PLURAL_FORMS, "_other"))
    wanted = _PLACES.get(name, ())
    allowed = wanted or ((_COUNT,) if is_plural else ())
    for place in _PLACE.findall(text):
        if place not in allowed:
            advice = f"write {' or '.join(allowed)}" if allowed else "take it out"
            yield f"{name}: nothing is put in for {place}; {advice}"
    for place in wanted:
        if place not in text:
            yield f"{name} must have {place}"
