"""Checks of templates: every text in every locale, rendered with samples. For `doorbell templates check|render`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from jinja2 import TemplateError as JinjaError

from templates.catalog import CHANNEL_FILES, INSTEAD
from templates.findings import Finding
from templates.folder_checks import wrong_names
from templates.page_checks import wrong_pages
from templates.renderer import Renderer
from templates.segments import plain, size
from templates.source_checks import broken_links, line_of_tag, lost_words, unbalanced, unknown_variables
from templates.texts import EmailText, SmsText, TemplateError, Text
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
    context = sample(renderer, template)
    return renderer.exactly(template, channel=channel, locale=locale, time_zone="UTC", context=context)


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
    if catalog.override is not None:
        yield from wrong_names(catalog.override)
    yield from wrong_words(catalog)
    yield from wrong_pages(renderer)
    for template in catalog.templates():
        if template not in catalog.samples:
            yield Finding(template, f"there is no sample for it; {_advice(template, catalog.samples)}")
            continue
        for locale in catalog.asked_locales(template):
            yield from _wrong_texts(renderer, template, locale=locale, sms_segments=sms_segments)


def _wrong_texts(renderer: Renderer, template: str, *, locale: str, sms_segments: int) -> Iterator[Finding]:
    """Find what is wrong with a template's texts in one locale; of a file that two channels share, only once."""
    catalog = renderer.catalog
    wrong: set[str] = set()
    for channel in CHANNEL_FILES:
        files = catalog.files_of(template, channel=channel, locale=locale)
        if not files:
            missing = catalog.missing_files(template, channel=INSTEAD.get(channel, channel), locale=locale)
            problem = f"{' and '.join(missing)} must be there, or people read this in another language"
            yield Finding(f"{locale}/{template}", problem)
        elif wrong.isdisjoint(files):
            found = [each for file in files for each in _read(renderer, template, channel=channel, file=file)]
            found = found or list(_try(renderer, template, channel=channel, locale=locale, sms_segments=sms_segments))
            wrong.update(each.file for each in found)
            yield from found


def _advice(template: str, samples: Mapping[str, Any]) -> str:
    near = get_close_matches(template, samples, n=1, cutoff=0.8)
    own = "add a table of its name to samples.toml"
    return f"name the folder {near[0]}, or {own}" if near else own


def _read(renderer: Renderer, template: str, *, channel: str, file: str) -> Iterator[Finding]:
    """Find what the source of a file shows; a syntax error is found when it is rendered."""
    known = _GIVEN[channel] | set(renderer.catalog.samples[template])
    environment, source_of = renderer.sandbox, renderer.catalog.source
    try:
        source = source_of(file)
        unknown = unknown_variables(source, environment=environment, known=known)
        lost = list(lost_words(source, environment=environment, source_of=source_of))
    except JinjaError:
        return
    for line, name in unknown:
        near = get_close_matches(name, known, n=1)
        advice = f"write {near[0]}" if near else f"there are {', '.join(sorted(known - {'reader'}))}"
        yield Finding(file, f"'{name}' is undefined for {channel}; {advice}", line)
    for line, problem in (*lost, *broken_links(source)):
        yield Finding(file, problem, line)


def _try(renderer: Renderer, template: str, *, channel: str, locale: str, sms_segments: int) -> Iterator[Finding]:
    # What marketing mails have besides: a preview does without, to look as most mails do.
    full = {**sample(renderer, template), "unsubscribe_link": _UNSUBSCRIBE_LINK}
    files = renderer.catalog.files_of(template, channel=channel, locale=locale)
    for context, advice in (
        (full, ""),
        (barest(full), "; values may be missing: ask with {% if … %} before one is shown"),
    ):
        try:
            text = renderer.exactly(template, channel=channel, locale=locale, time_zone="UTC", context=context)
        except TemplateError as error:
            yield Finding(error.file, error.problem + advice, error.line)
            return
        wrong = _wrong_text(text, files, sms_segments)
        if wrong is not None:
            file, problem = wrong
            yield Finding(file, problem + advice, line_of_tag(problem, renderer.catalog.source(file)))
            return


def _wrong_text(text: Text, files: Sequence[str], sms_segments: int) -> tuple[str, str] | None:
    """Return what is wrong with a text that could be rendered, and in which file."""
    empty = [field for field in text.__struct_fields__ if not getattr(text, field).strip()]
    if empty:
        return files[-1] if empty == ["html"] else files[0], f"{', '.join(empty)} is empty"
    if isinstance(text, SmsText):
        taken = size(plain(text.body))
        if taken.segments > sms_segments:
            alphabet = "UCS-2" if taken.unicode else "GSM 7-bit"
            return files[0], f"takes {taken.segments} segments ({alphabet}), {sms_segments} is the most; write less"
    if isinstance(text, EmailText) and (tag := unbalanced(text.html)) is not None:
        return files[-1], tag[1]
    return None
