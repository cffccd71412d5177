"""Checks of templates: every text in every locale, rendered with samples. For `doorbell templates check|render`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from jinja2 import TemplateError as JinjaError

from templates.catalog import CHANNEL_FILES, INSTEAD
from templates.findings import Finding, finding_of
from templates.page_checks import wrong_pages
from templates.renderer import Renderer
from templates.segments import plain, size
from templates.source_checks import broken_links, unknown_variables
from templates.texts import SmsText, TemplateError, Text
from templates.word_checks import wrong_words

_LINK = "https://shop.example/orders/A-1001"
_PREFERENCES_LINK = "https://hub.shop.example/p/token"
_UNSUBSCRIBE_LINK = "https://hub.shop.example/u/token"
_ALWAYS_THERE = frozenset({"order_id", "shipment_id", "payment_id", "amount", "title", "body", "count", "updates"})
"""What no notification of its family lacks; everything else may be None."""
_SMS_SEGMENTS = 3
_GIVEN: Mapping[str, frozenset[str]] = {
    "inbox": frozenset({"name", "reader", "words"}),
    "push": frozenset({"name", "reader", "words"}),
    "sms": frozenset({"name", "reader", "words", "link", "shop"}),
    "email": frozenset(
        {
            "name",
            "reader",
            "words",
            "link",
            "preferences_link",
            "unsubscribe_link",
            "shop",
            "locale",
            "direction",
        }
    ),
}
"""What each channel gives its texts besides the variables of the event."""


def check(renderer: Renderer, *, sms_segments: int = _SMS_SEGMENTS) -> list[Finding]:
    """Return everything wrong, each once.

    Missing texts, locales and words, words that nothing uses, unknown variables in any branch, broken links, texts and
    pages that fail or come out empty, and text messages of more than `sms_segments` (`sms.max_segments`), which would
    be cut.
    """
    return list(dict.fromkeys(_findings(renderer, sms_segments)))


def render(renderer: Renderer, template: str, *, channel: str, locale: str) -> Text:
    """Return a text made with sample data, in UTC. Raises TemplateError."""
    return _write(renderer, template, channel=channel, locale=locale, context=sample(renderer, template))


def _write(renderer: Renderer, template: str, *, channel: str, locale: str, context: dict[str, Any]) -> Text:
    match channel:
        case "inbox":
            return renderer.inbox(template, locale, "UTC", context)
        case "email":
            return renderer.email(template, locale, "UTC", context)
        case "push":
            return renderer.push(template, locale, "UTC", context)
        case "sms":
            return renderer.sms(template, locale, "UTC", context)
        case _:
            raise TemplateError(template, f"there is no channel {channel}; write one of {', '.join(CHANNEL_FILES)}")


def sample(renderer: Renderer, template: str) -> dict[str, Any]:
    """Return a full context to try a template on. Raises TemplateError where there is no sample for it."""
    values = renderer.catalog.samples.get(template)
    if values is None:
        raise TemplateError(template, "there is no sample for it; add a table of its name to samples.toml")
    return {**values, "name": "Zoë Weber", "link": _LINK, "preferences_link": _PREFERENCES_LINK}


def barest(full: dict[str, Any]) -> dict[str, Any]:
    """Return a context in which everything is None that may be."""
    return {name: value if name in _ALWAYS_THERE else None for name, value in full.items()}


def _findings(renderer: Renderer, sms_segments: int) -> Iterator[Finding]:
    catalog = renderer.catalog
    yield from wrong_words(catalog)
    yield from wrong_pages(renderer)
    for template in catalog.templates():
        if template not in catalog.samples:
            yield Finding(template, "there is no sample for it; add a table of its name to samples.toml")
            continue
        for channel, locale in product(CHANNEL_FILES, catalog.asked_locales(template)):
            missing = catalog.missing_files(template, channel=INSTEAD.get(channel, channel), locale=locale)
            files = catalog.files_of(template, channel=channel, locale=locale)
            if missing and not files:
                problem = f"{' and '.join(missing)} must be there, or people read this in another language"
                yield Finding(f"{locale}/{template}", problem)
                continue
            for file in files:
                yield from _read(renderer, template, channel=channel, file=file)
            yield from _try(renderer, template, channel=channel, locale=locale, sms_segments=sms_segments)


def _read(renderer: Renderer, template: str, *, channel: str, file: str) -> Iterator[Finding]:
    """Find what the source of a file shows; a syntax error is found when it is rendered."""
    known = _GIVEN[channel] | set(renderer.catalog.samples[template])
    source = renderer.catalog.source(file)
    try:
        unknown = unknown_variables(source, environment=renderer.sandbox, known=known)
    except JinjaError:
        return
    for name in unknown:
        yield Finding(file, f"'{name}' is undefined for {channel}")
    for problem in broken_links(source):
        yield Finding(file, problem)


def _try(renderer: Renderer, template: str, *, channel: str, locale: str, sms_segments: int) -> Iterator[Finding]:
    # What marketing mails have besides: a preview does without, to look as most mails do.
    full = {**sample(renderer, template), "unsubscribe_link": _UNSUBSCRIBE_LINK}
    for context in (full, barest(full)):
        try:
            text = _write(renderer, template, channel=channel, locale=locale, context=context)
        except TemplateError as error:
            yield finding_of(error)
            return
        empty = [field for field in text.__struct_fields__ if not getattr(text, field).strip()]
        if empty:
            yield Finding(f"{locale}/{template}", f"{channel}: {', '.join(empty)} is empty with some values missing")
            return
        if isinstance(text, SmsText):
            taken = size(plain(text.body))
            if taken.segments > sms_segments:
                alphabet = "UCS-2" if taken.unicode else "GSM 7-bit"
                problem = f"sms: takes {taken.segments} segments ({alphabet}), {sms_segments} is the most"
                yield Finding(f"{locale}/{template}", problem)
                return
