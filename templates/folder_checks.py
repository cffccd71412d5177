"""Checks of the names in an operator's folder: a file whose name or place is wrong is one that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from babel import Locale, UnknownLocaleError

from templates import locales
from templates.catalog import CHANNEL_FILES, COMMON
from templates.findings import Finding

_NO_LOCALES = frozenset({"layouts", "pages"})
_FILES = tuple(dict.fromkeys(file for files in CHANNEL_FILES.values() for file in files))
_TEXTS = frozenset({".txt", ".html", ".htm", ".toml"})
_SAMPLES, _WORDS = "samples.toml", "words.toml"


def wrong_names(folder: Path) -> Iterator[Finding]:
    """Find the folders that are no locale, and the files that nothing reads. Hidden ones are passed over."""
    for path in _below(folder):
        if path.is_dir():
            problem = None if path.name in {*_NO_LOCALES, COMMON} else _wrong_locale(path.name)
            if problem is not None:
                yield Finding(path.name, problem)
            elif path.name not in _NO_LOCALES:
                yield from _wrong_files(folder, path)
        elif path.suffix in _TEXTS and path.name != _SAMPLES:
            yield Finding(path.name, f"nothing reads it here; only {_SAMPLES} lies beside the locales")


def _wrong_locale(name: str) -> str | None:
    usual = locales.normal(name)
    if usual is None:
        return "is no locale; name the folder by its BCP 47 tag, such as fr or pt-BR"
    if usual != name:
        return f"is no locale as it is spelt; name the folder {usual}"
    try:
        Locale.parse(name, sep="-")
    except (UnknownLocaleError, ValueError):
        return "is a locale that nobody knows dates and plurals of; name the folder by its BCP 47 tag, such as fr"
    return None


def _wrong_files(folder: Path, locale: Path) -> Iterator[Finding]:
    for path in _below(locale):
        if path.is_dir():
            for file in _below(path):
                if file.name not in _FILES:
                    yield Finding(str(file.relative_to(folder)), f"nothing reads it; {_advice(file.name)}")
        elif path.suffix in _TEXTS and path.name != _WORDS:
            place = f"{locale.name}/<template>/{path.name}"
            yield Finding(str(path.relative_to(folder)), f"nothing reads it here; its place is {place}")


def _advice(name: str) -> str:
    near = get_close_matches(name.lower(), _FILES, n=1)
    return f"name it {near[0]}" if near else f"name it one of {', '.join(_FILES)}"


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))
