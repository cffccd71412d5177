"""The renderer: a template's name and a context in, the texts of one channel out.

Pure but for the clock it may be given: all files are read when it is made or first used, and compiled texts are kept
per (template, channel, locale). An inbox entry costs about 15 µs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Template
from jinja2 import TemplateError as JinjaError

from templates import locales, moments
from templates.catalog import PAGES, Catalog
from templates.reader import Formats, Reader, Words, formats_of
from templates.sandbox import Sandbox
from templates.texts import EmailText, InboxText, PushText, SmsText, TemplateError

_EMAIL_DEFAULTS: Mapping[str, Any] = {
    "link": None,
    "shop": "",
    "name": None,
    "preferences_link": None,
    "unsubscribe_link": None,
}
_SMS_DEFAULTS: Mapping[str, Any] = {"link": None, "shop": ""}
_KEPT_TEXTS = 4_096


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000


class _Text:
    """The compiled files of one template for one channel and one locale a person may have."""

    __slots__ = ("defaults", "files", "formats", "locale", "words")

    def __init__(
        self, files: tuple[Template, ...], *, locale: str, formats: Formats, words: Words, defaults: dict[str, None]
    ) -> None:
        self.files = files
        self.locale = locale
        self.formats = formats
        self.words = words
        self.defaults = defaults


class Renderer:
    """Renders texts for people. Safe to share between tasks; every method may raise TemplateError.

    `override` is the operator's folder, which goes before the built-in templates, file by file.
    """

    def __init__(
        self, *, override: Path | None = None, default_locale: str = "en", clock: Callable[[], int] = _unix_ms
    ) -> None:
        self.catalog = Catalog(override=override, default_locale=default_locale)
        self.sandbox = Sandbox(self.catalog.loader())
        self._clock = clock
        self._text = lru_cache(maxsize=_KEPT_TEXTS)(self._compile)

    def inbox(self, template: str, locale: str, time_zone: str, context: Mapping[str, Any]) -> InboxText:
        """Return the entry for the inbox of a person with this locale (BCP 47) and time zone (IANA)."""
        title, _, body = self._plain(template, "inbox", locale, time_zone, context).partition("\n")
        return InboxText(title.strip(), body.strip())

    def push(self, template: str, locale: str, time_zone: str, context: Mapping[str, Any]) -> PushText:
        """Return what a phone shows: in the words of the inbox where the template has none for it."""
        title, _, body = self._plain(template, "push", locale, time_zone, context).partition("\n")
        return PushText(title.strip(), body.strip())

    def sms(self, template: str, locale: str, time_zone: str, context: Mapping[str, Any]) -> SmsText:
        """Return a text message: in the words of the inbox where the template has none for it.

        `context` may also hold `link` (a whole URL) and `shop`.
        """
        variables = {**_SMS_DEFAULTS, **context}
        lines = self._plain(template, "sms", locale, time_zone, variables).splitlines()
        return SmsText("\n".join(line.strip() for line in lines if line.strip()))

    def email(self, template: str, locale: str, time_zone: str, context: Mapping[str, Any]) -> EmailText:
        """Return a mail's texts.

        `context` may also hold `link`, `preferences_link` and `unsubscribe_link` (whole URLs), `shop` and the person's
        `name`.
        """
        text = self._text(template, "email", locale)
        variables = {
            **_EMAIL_DEFAULTS,
            **self._variables(text, time_zone, context),
            "locale": text.locale,
            "direction": locales.text_direction(text.locale),
        }
        plain, html = (_render(file, variables) for file in text.files)
        subject, _, body = plain.partition("\n")
        return EmailText(subject.strip(), body.strip() + "\n", html)

    def page(self, name: str, locale: str, time_zone: str, variables: Mapping[str, Any]) -> str:
        """Return a page for people behind a signed link, `pages/<name>.html`, as a whole HTML document."""
        nearest = self.catalog.nearest(locale)
        words = self.catalog.words(nearest)
        reader = Reader(
            formats_of(locales.formats_locale(locale, nearest)),
            zone=moments.zone(time_zone),
            now_ms=self._clock(),
            words=words,
        )
        given = {"reader": reader, "words": words, "locale": nearest, "direction": locales.text_direction(nearest)}
        return _render(self._load(f"{PAGES}{name}.html"), {**variables, **given})

    def _plain(self, template: str, channel: str, locale: str, time_zone: str, context: Mapping[str, Any]) -> str:
        text = self._text(template, channel, locale)
        return _render(text.files[0], self._variables(text, time_zone, context))

    def _variables(self, text: _Text, time_zone: str, context: Mapping[str, Any]) -> dict[str, Any]:
        reader = Reader(text.formats, zone=moments.zone(time_zone), now_ms=self._clock(), words=text.words)
        return {**text.defaults, **context, "reader": reader, "words": text.words}

    def _compile(self, template: str, channel: str, wanted: str) -> _Text:
        locale = self.catalog.locale_for(template, channel=channel, wanted=wanted)
        if locale is None:
            problem = f"no {channel} text in any of {', '.join(self.catalog.locales())}"
            raise TemplateError(template, problem)
        names = self.catalog.files_of(template, channel=channel, locale=locale)
        files = tuple(self._load(name) for name in names)
        return _Text(
            files,
            locale=locale,
            formats=formats_of(locales.formats_locale(wanted, locale)),
            words=self.catalog.words(locale),
            defaults=dict.fromkeys(self.catalog.samples.get(template, ())),
        )

    def _load(self, name: str) -> Template:
        try:
            file = self.sandbox.get_template(name)
        except JinjaError as error:
            raise TemplateError(name, str(error)) from error
        # Jinja's chain of dicts costs 10 µs a render to copy; nothing is added to it later.
        file.globals = dict(file.globals)
        return file


def _render(file: Template, variables: dict[str, Any]) -> str:
    try:
        return file.render(variables)
    except (JinjaError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise TemplateError(file.name or "?", f"{type(error).__name__}: {error}") from error
