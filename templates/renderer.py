"""The renderer: a template's name and a context in, the texts of one channel out.

All files are read when it is made or first used, and compiled texts are kept per (template, channel, locale). An inbox
entry costs about 15 µs.

No message is lost over one bad file: where a text fails, the built-in one takes its place, and then those of the
locales that it falls back to. Each time is logged and counted. `exactly` does without, for checks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Template
from jinja2 import TemplateError as JinjaError

from hub.observe import TEXTS_REPLACED, logger
from templates import locales, moments
from templates.catalog import CHANNEL_FILES, PAGES, Catalog
from templates.reader import Formats, Reader, Words, formats_of
from templates.sandbox import Sandbox
from templates.texts import EmailText, InboxText, PushText, SmsText, TemplateError, Text
from templates.tracing import error_of

_EMAIL_DEFAULTS: Mapping[str, Any] = {
    "link": None,
    "shop": "",
    "name": None,
    "preferences_link": None,
    "unsubscribe_link": None,
}
_SMS_DEFAULTS: Mapping[str, Any] = {"link": None, "shop": ""}
_KEPT_TEXTS = 4_096
_T = TypeVar("_T", bound=Text)
_log = logger(__name__)


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
        self._shipped = Renderer(default_locale=default_locale, clock=clock) if override is not None else None

    def inbox(self, template: str, locale: str, time_zone: str, context: Mapping[str, Any]) -> InboxText:
        """Return the entry for the inbox of a person with this locale (BCP 47) and time zone (IANA)."""
        return self._written(_inbox, template, channel="inbox", locale=locale, time_zone=time_zone, context=context)

    def push(self, template: str, locale: str, time_zone: str, context: Mapping[str, Any]) -> PushText:
        """Return what a phone shows: in the words of the inbox where the template has none for it."""
        return self._written(_push, template, channel="push", locale=locale, time_zone=time_zone, context=context)

    def sms(self, template: str, locale: str, time_zone: str, context: Mapping[str, Any]) -> SmsText:
        """Return a text message: in the words of the inbox where the template has none for it.

        `context` may also hold `link` (a whole URL) and `shop`.
        """
        return self._written(_sms, template, channel="sms", locale=locale, time_zone=time_zone, context=context)

    def email(self, template: str, locale: str, time_zone: str, context: Mapping[str, Any]) -> EmailText:
        """Return a mail's texts.

        `context` may also hold `link`, `preferences_link` and `unsubscribe_link` (whole URLs), `shop` and the person's
        `name`.
        """
        return self._written(_email, template, channel="email", locale=locale, time_zone=time_zone, context=context)

    def exactly(self, template: str, *, channel: str, locale: str, time_zone: str, context: Mapping[str, Any]) -> Text:
        """Return the text of a channel in the nearest locale, and no other in its place where it fails."""
        write = _WRITERS.get(channel)
        if write is None:
            raise TemplateError(template, f"there is no channel {channel}; write one of {', '.join(CHANNEL_FILES)}")
        text = self._text(template, channel, locale)
        return write(text, self._variables(text, time_zone, context))

    def page(self, name: str, locale: str, time_zone: str, variables: Mapping[str, Any]) -> str:
        """Return a page for people behind a signed link, `pages/<name>.html`, as a whole HTML document."""
        try:
            return self.exact_page(name, locale, time_zone, variables)
        except TemplateError as error:
            if self._shipped is None:
                raise
            _replaced(error, "page", "the built-in one")
            return self._shipped.page(name, locale, time_zone, variables)

    def exact_page(self, name: str, locale: str, time_zone: str, variables: Mapping[str, Any]) -> str:
        """Return a page as `page` does, and no other in its place where it fails."""
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

    def _written(
        self,
        write: Callable[[_Text, dict[str, Any]], _T],
        template: str,
        *,
        channel: str,
        locale: str,
        time_zone: str,
        context: Mapping[str, Any],
    ) -> _T:
        try:
            text = self._text(template, channel, locale)
            return write(text, self._variables(text, time_zone, context))
        except TemplateError as error:
            for place, renderer, wanted in self._instead(template, channel, locale):
                try:
                    text = renderer._text(template, channel, wanted)  # noqa: SLF001 - the same class.
                    written = write(text, self._variables(text, time_zone, context))
                except TemplateError:
                    continue
                _replaced(error, channel, place)
                return written
            raise

    def _instead(self, template: str, channel: str, wanted: str) -> Iterator[tuple[str, Renderer, str]]:
        """Return what may take the place of a text that fails, the nearest first: renderers, and locales to ask for."""
        first, *others = self.catalog.locales_for(template, channel=channel, wanted=wanted) or (wanted,)
        if self._shipped is not None:
            yield f"the built-in one for {first}", self._shipped, wanted
        for locale in others:
            yield f"the one for {locale}", self, locale

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
            return self.sandbox.get_template(name)
        except JinjaError as error:
            raise error_of(name, error) from error


def _inbox(text: _Text, variables: dict[str, Any]) -> InboxText:
    title, _, body = _render(text.files[0], variables).partition("\n")
    return InboxText(title.strip(), body.strip())


def _push(text: _Text, variables: dict[str, Any]) -> PushText:
    title, _, body = _render(text.files[0], variables).partition("\n")
    return PushText(title.strip(), body.strip())


def _sms(text: _Text, variables: dict[str, Any]) -> SmsText:
    lines = _render(text.files[0], {**_SMS_DEFAULTS, **variables}).splitlines()
    return SmsText("\n".join(line.strip() for line in lines if line.strip()))


def _email(text: _Text, variables: dict[str, Any]) -> EmailText:
    direction = locales.text_direction(text.locale)
    given = {**_EMAIL_DEFAULTS, **variables, "locale": text.locale, "direction": direction}
    plain, html = (_render(file, given) for file in text.files)
    subject, _, body = plain.partition("\n")
    return EmailText(subject.strip(), body.strip() + "\n", html)


_WRITERS: Mapping[str, Callable[[_Text, dict[str, Any]], Text]] = {
    "inbox": _inbox,
    "email": _email,
    "push": _push,
    "sms": _sms,
}


def _render(file: Template, variables: dict[str, Any]) -> str:
    try:
        return file.render(variables)
    except (JinjaError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise error_of(file.name or "?", error) from error


def _replaced(error: TemplateError, channel: str, place: str) -> None:
    TEXTS_REPLACED.labels(error.file).inc()
    _log.error("a text fails, another takes its place", channel=channel, problem=str(error), instead=place)
