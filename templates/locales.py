"""Locales: which languages a person's locale falls back to, and whose formats a text takes."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from babel import Locale, UnknownLocaleError

_TAG = re.compile(r"([a-z]{2,3})(?:[-_]([a-z]{4}))?(?:[-_]([a-z]{2}|\d{3}))?(?:[-_.@].*)?", re.IGNORECASE)
_TAG_MAX = 35


def normal(tag: str) -> str | None:
    """Return a BCP 47 tag in its usual spelling (`pt_br` → `pt-BR`, `zh-hans` → `zh-Hans`), None if it is none."""
    match = _TAG.fullmatch(tag) if len(tag) <= _TAG_MAX else None
    if match is None:
        return None
    language, script, region = match.groups()
    parts = (language.lower(), script.title() if script else None, region.upper() if region else None)
    return "-".join(part for part in parts if part)


def chain(tag: str, *, default: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the locales to try, in order: `pt-BR → pt → en`.

    A language that is known only with a region still serves its other regions (`pt-PT → pt → pt-BR → en`): it is
    nearer than the default. `known` are the locales that have a folder; only those are returned.
    """
    wanted = normal(tag) or default
    language = wanted.partition("-")[0]
    parents = []
    while wanted:
        parents.append(wanted)
        wanted = wanted.rpartition("-")[0]
    relatives = sorted(name for name in known if name.partition("-")[0] == language)
    candidates = dict.fromkeys((*parents, *relatives, default))
    return tuple(name for name in candidates if name in known)


@lru_cache(maxsize=4_096)
def formats_locale(person_tag: str, text_tag: str) -> str:
    """Return whose formats a text takes, in Babel's spelling.

    The person's own where the text is in the person's language (`en-GB` reads `22 November` in the `en` text), else
    those of the text, so that no German date stands in an English sentence.
    """
    person = normal(person_tag)
    same_language = person is not None and person.partition("-")[0] == text_tag.partition("-")[0]
    for tag in (person, text_tag) if same_language and person else (text_tag,):
        try:
            return str(Locale.parse(tag, sep="-"))
        except (UnknownLocaleError, ValueError):
            continue
    return "en"


@lru_cache(maxsize=256)
def text_direction(text_tag: str) -> str:
    """Return `ltr` or `rtl`, for the `dir` attribute of a page in this locale."""
    return Locale.parse(formats_locale(text_tag, text_tag)).text_direction
