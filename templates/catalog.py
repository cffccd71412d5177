"""The catalog: which templates there are, in which locales, and where their files lie.

A folder holds `<locale>/words.toml`, `<locale>/<template>/<file>`, `common/<template>/<file>` for texts that take all
their words from `words.toml`, `layouts/` and `samples.toml`. The operator's folder goes before the built-in one, file
by file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, FunctionLoader, TemplateSyntaxError

from hub.domain.contexts import TEMPLATES, sample_context
from templates import locales
from templates.inlining import inlined
from templates.texts import TemplateError
from templates.tracing import TRACEABLE

BUILT_IN = Path(__file__).parent
CHANNEL_FILES: Mapping[str, tuple[str, ...]] = {
    "inbox": ("inbox.txt",),
    "email": ("email.txt", "email.html"),
    "push": ("push.txt",),
    "sms": ("sms.txt",),
}
"""The files a channel needs of a template."""
COMMON = "common"
"""The folder of texts that every locale has, unless it has its own."""
INSTEAD = {"push": "inbox", "sms": "inbox"}
"""Where a template has no file for the first, it is told in the words of the second."""
LAST_RESORT = "en"
"""The locale that has every text and word of this version, whatever an installation's own default lacks."""
PLURAL_FORMS = ("_zero", "_one", "_two", "_few", "_many")
"""Ends of words that a language has only if it has that form; `_other` all of them have."""
PAGES = "pages/"
"""Where the pages are that people open behind signed links."""
_SAMPLES = "samples.toml"
_WORDS = "words.toml"


class Catalog:
    """Reads the folders once, when made. Changing a file afterwards needs a new catalog."""

    def __init__(self, *, override: Path | None = None, default_locale: str = "en") -> None:
        self.override = override
        """The operator's folder, if there is one."""
        self._roots = tuple(root for root in (override, BUILT_IN) if root is not None)
        self._loader = ChoiceLoader([FileSystemLoader(root) for root in self._roots])
        self.default_locale = default_locale
        self._files = {file: None for root in self._roots for file in _files_below(root)}
        self._shipped = {template for _, template, _ in _files_below(BUILT_IN)}
        self._locales = tuple(sorted({locale for root in self._roots for locale in _locales_below(root)}))
        self._own_locales = tuple(_locales_below(override)) if override is not None else ()
        self.samples = self._read_samples()
        """The variables of each template, with values to try it on; any of them may be None when it is used."""
        self._words = {locale: self._read_words(locale) for locale in self.locales()}

    def locales(self) -> tuple[str, ...]:
        """Return the locales that have a folder, sorted."""
        return self._locales

    def asked_locales(self, template: str) -> tuple[str, ...]:
        """Return the locales that should have a template: of the operator's own, those that the operator writes in."""
        return self._locales if template in self._shipped or not self._own_locales else self._own_locales

    def templates(self) -> tuple[str, ...]:
        """Return the names of all templates, sorted."""
        return tuple(sorted({template for _, template, _ in self._files} | set(self.samples)))

    def files_of(self, template: str, *, channel: str, locale: str) -> tuple[str, ...]:
        """Return the files that a channel needs of a template in a locale; none where one of them is missing."""
        for kind in (channel, INSTEAD.get(channel)):
            if kind is not None and not self.missing_files(template, channel=kind, locale=locale):
                return tuple(f"{self._folder(locale, template, file)}/{file}" for file in CHANNEL_FILES[kind])
        return ()

    def missing_files(self, template: str, *, channel: str, locale: str) -> tuple[str, ...]:
        """Return those of a channel's files that a template has neither in a locale nor in common."""
        return tuple(file for file in CHANNEL_FILES[channel] if not self._folder(locale, template, file))

    def _folder(self, locale: str, template: str, file: str) -> str | None:
        """Return where a locale's file is, None where there is none."""
        folders = (folder for folder in (locale, COMMON) if (folder, template, file) in self._files)
        return next((f"{folder}/{template}" for folder in folders), None)

    def locale_for(self, template: str, *, channel: str, wanted: str) -> str | None:
        """Return the locale whose text is nearest to `wanted`; None where even `LAST_RESORT` has none."""
        return next(iter(self.locales_for(template, channel=channel, wanted=wanted)), None)

    def locales_for(self, template: str, *, channel: str, wanted: str) -> tuple[str, ...]:
        """Return the locales that have a text, the nearest to `wanted` first."""
        return tuple(name for name in self._chain(wanted) if self.files_of(template, channel=channel, locale=name))

    def nearest(self, wanted: str) -> str:
        """Return the locale with words that is nearest to `wanted`."""
        return self._chain(wanted)[0]

    def words(self, locale: str, *, of_its_own: bool = False) -> Mapping[str, str]:
        """Return the words of a locale, those it lacks from what it falls back to; `of_its_own`: from its language."""
        fallback = locales.chain(locale, default=locale, known=self._words) if of_its_own else self._chain(locale)
        merged: dict[str, str] = {}
        for tag in reversed(fallback):
            merged = _over(merged, self._words[tag])
        return merged

    def missing_words(self, locale: str) -> list[str]:
        """Return the words that a locale takes from other languages, sorted. Plurals: only `_other`, which all have."""
        asked = set(self.shipped_words())
        if locale in self._own_locales:
            asked.update(self._words[LAST_RESORT], self._words.get(self.default_locale, ()))
        plurals = {name for name in asked if name.endswith(PLURAL_FORMS)}
        return sorted(asked - plurals - set(self.words(locale, of_its_own=True)))

    def _chain(self, wanted: str) -> tuple[str, ...]:
        """As `locales.chain`, then `LAST_RESORT`: a default of the installation's own may lack newer texts."""
        chain = locales.chain(wanted, default=self.default_locale, known=self._words)
        return tuple(dict.fromkeys((*chain, LAST_RESORT)))

    def own_words(self, locale: str) -> Mapping[str, str]:
        """Return the words of a locale's own file."""
        return self._words.get(locale, {})

    def shipped_words(self) -> Mapping[str, str]:
        """Return the words that this version has built in."""
        return _read_toml(BUILT_IN / LAST_RESORT / _WORDS)

    def source(self, name: str) -> str:
        """Return a file as its author wrote it, the operator's first.

        Raises jinja2.TemplateNotFound, and jinja2.TemplateSyntaxError for one that is not in UTF-8.
        """
        try:
            source, _, _ = self._loader.get_source(None, name)  # type: ignore[arg-type]  # The environment is not used.
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise TemplateSyntaxError("is not in UTF-8; save it so", line, name) from error
        return source

    def sources(self) -> Iterator[str]:
        """Return every text, layout and page as its author wrote it."""
        for folder, suffix in product(self._roots, ("html", "txt")):
            for path in sorted(folder.glob(f"**/*.{suffix}")):
                yield path.read_text(encoding="utf-8", errors="replace")

    def loader(self) -> BaseLoader:
        """Return what gives Jinja2 the text of a file, the operator's first; in mails the styles are inlined."""

        def load(name: str) -> tuple[str, str, None]:
            source = self.source(name)
            mail = name.endswith(".html") and not name.startswith(PAGES)
            return inlined(source) if mail else source, f"{TRACEABLE}{name}", None

        return FunctionLoader(load)

    def _read_samples(self) -> dict[str, dict[str, Any]]:
        merged: dict[str, Any] = {name: sample_context(event_type) for name, event_type in TEMPLATES.items()}
        for root in reversed(self._roots):
            merged.update(_read_toml(root / _SAMPLES))
        try:
            return msgspec.convert(merged, dict[str, dict[str, Any]])
        except msgspec.ValidationError as error:
            raise TemplateError(_SAMPLES, f"every sample is a table: {error}") from error

    def _read_words(self, locale: str) -> dict[str, str]:
        merged: dict[str, Any] = {}
        for root in reversed(self._roots):
            merged.update(_read_toml(root / locale / _WORDS))
        try:
            return msgspec.convert(merged, dict[str, str])
        except msgspec.ValidationError as error:
            raise TemplateError(f"{locale}/{_WORDS}", f"every word is a text: {error}") from error


def _over(below: dict[str, str], above: dict[str, str]) -> dict[str, str]:
    """Return the words of two languages, the second first. Its plurals keep to themselves: it has all its forms."""
    plurals = {name.removesuffix("_other") for name in above if name.endswith("_other")}
    forms = {f"{name}{form}" for name in plurals for form in PLURAL_FORMS}
    return {name: text for name, text in below.items() if name not in forms} | above


def _locales_below(root: Path) -> list[str]:
    """Return the folders that are locales with texts or words: `layouts` and `pages` are left out."""
    folders = sorted(
        {path.relative_to(root).parts[0] for pattern in (_WORDS, "*/*") for path in root.glob(f"*/{pattern}")}
    )
    return [name for name in folders if locales.normal(name) == name]


def _files_below(root: Path) -> list[tuple[str, str, str]]:
    """Return (folder, template, file) of every template file, in the folders of locales and in common."""
    folders = (*_locales_below(root), COMMON)
    return [
        (path.parts[-3], path.parts[-2], path.name)
        for folder in folders
        for path in sorted(root.glob(f"{folder}/*/*"))
        if path.is_file()
    ]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TemplateError(str(path), f"write TOML in UTF-8: {error}") from error
