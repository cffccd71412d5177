"""The catalog: which templates there are, in which locales, and where their files lie.

A folder holds `<locale>/words.toml`, `<locale>/<template>/<file>`, `layouts/` and `samples.toml`. The operator's folder
goes before the built-in one, file by file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, FunctionLoader

from hub.domain.contexts import TEMPLATES, sample_context
from templates import locales
from templates.inlining import inlined
from templates.texts import TemplateError

BUILT_IN = Path(__file__).parent
CHANNEL_FILES: Mapping[str, tuple[str, ...]] = {
    "inbox": ("inbox.txt",),
    "email": ("email.txt", "email.html"),
    "push": ("push.txt",),
    "sms": ("sms.txt",),
}
"""The files a channel needs of a template."""
_WITHOUT_OWN = {"push": "inbox", "sms": "inbox"}
"""Where a template has no file for the first, it is told in the words of the second."""
_PLURAL_FORMS = ("_zero", "_one", "_two", "_few", "_many")
PAGES = "pages/"
"""Where the pages are that people open behind signed links."""
_SAMPLES = "samples.toml"
_WORDS = "words.toml"


class Catalog:
    """Reads the folders once, when made. Changing a file afterwards needs a new catalog."""

    def __init__(self, *, override: Path | None = None, default_locale: str = "en") -> None:
        self._roots = tuple(root for root in (override, BUILT_IN) if root is not None)
        self._loader = ChoiceLoader([FileSystemLoader(root) for root in self._roots])
        self.default_locale = default_locale
        self._files = {file: None for root in self._roots for file in _files_below(root)}
        self.samples = self._read_samples()
        """The variables of each template, with values to try it on; any of them may be None when it is used."""
        self._words = {locale: self._read_words(locale) for locale in self.locales()}

    def locales(self) -> tuple[str, ...]:
        """Return the locales that have a folder, sorted."""
        return tuple(sorted({locale for locale, _, _ in self._files}))

    def templates(self) -> tuple[str, ...]:
        """Return the names of all templates, sorted."""
        return tuple(sorted({template for _, template, _ in self._files} | set(self.samples)))

    def files_of(self, template: str, *, channel: str, locale: str) -> tuple[str, ...]:
        """Return the files that a channel needs of a template in a locale; none where one of them is missing."""
        for kind in (channel, _WITHOUT_OWN.get(channel)):
            if kind is not None and all((locale, template, file) in self._files for file in CHANNEL_FILES[kind]):
                return CHANNEL_FILES[kind]
        return ()

    def locale_for(self, template: str, *, channel: str, wanted: str) -> str | None:
        """Return the locale whose text is nearest to `wanted`; None where even the default has none."""
        fallback = locales.chain(wanted, default=self.default_locale, known=self._words)
        return next((name for name in fallback if self.files_of(template, channel=channel, locale=name)), None)

    def nearest(self, wanted: str) -> str:
        """Return the locale with words that is nearest to `wanted`."""
        return next(iter(locales.chain(wanted, default=self.default_locale, known=self._words)), self.default_locale)

    def words(self, locale: str, *, of_its_own: bool = False) -> Mapping[str, str]:
        """Return the words of a locale; those it lacks come from its language and, unless `of_its_own`, the default."""
        default = locale if of_its_own else self.default_locale
        fallback = locales.chain(locale, default=default, known=self._words)
        return {name: text for tag in reversed(fallback) for name, text in self._words[tag].items()}

    def missing_words(self, locale: str) -> list[str]:
        """Return the words that a locale takes from the default one, sorted. Plurals: only `_other`, which all have."""
        asked = {name for name in self._words.get(self.default_locale, {}) if not name.endswith(_PLURAL_FORMS)}
        return sorted(asked - set(self.words(locale, of_its_own=True)))

    def source(self, name: str) -> str:
        """Return a file as its author wrote it, the operator's first. Raises jinja2.TemplateNotFound."""
        source, _, _ = self._loader.get_source(None, name)  # type: ignore[arg-type]  # The environment is not used.
        return source

    def loader(self) -> BaseLoader:
        """Return what gives Jinja2 the text of a file, the operator's first; in mails the styles are inlined."""

        def load(name: str) -> str:
            source = self.source(name)
            mail = name.endswith(".html") and not name.startswith(PAGES)
            return inlined(source) if mail else source

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


def _files_below(root: Path) -> list[tuple[str, str, str]]:
    """Return (locale, template, file) of every template file: folders that are no locale (`layouts`) are left out."""
    return [
        (path.parts[-3], path.parts[-2], path.name)
        for path in sorted(root.glob("*/*/*"))
        if path.is_file() and locales.normal(path.parts[-3]) == path.parts[-3]
    ]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TemplateError(str(path), f"write TOML in UTF-8: {error}") from error
