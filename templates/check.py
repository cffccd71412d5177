"""Checks of templates: every text in every locale, rendered with samples. For `doorbell templates check|render`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from templates.catalog import CHANNEL_FILES
from templates.renderer import Renderer
from templates.texts import TemplateError, Text

_LINK = "https://shop.example/orders/A-1001"
_ALWAYS_THERE = frozenset({"order_id", "shipment_id", "payment_id", "amount", "title", "body"})
"""What no notification of its family lacks; everything else may be None."""


class Finding(msgspec.Struct, frozen=True):
    """Something wrong with a template. `file` is relative to its folder: `de/order-placed/email.html`."""

    file: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}"


def check(renderer: Renderer) -> list[Finding]:
    """Return everything wrong: missing texts and locales, unknown variables, texts that fail or come out empty."""
    return list(_findings(renderer))


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
    return {**values, "name": "Zoë Weber", "link": _LINK}


def barest(full: dict[str, Any]) -> dict[str, Any]:
    """Return a context in which everything is None that may be."""
    return {name: value if name in _ALWAYS_THERE else None for name, value in full.items()}


def _findings(renderer: Renderer) -> Iterator[Finding]:
    catalog = renderer.catalog
    for template in catalog.templates():
        if template not in catalog.samples:
            yield Finding(template, "there is no sample for it; add a table of its name to samples.toml")
            continue
        for channel, files in CHANNEL_FILES.items():
            for locale in catalog.locales():
                if catalog.files_of(template, channel=channel, locale=locale):
                    yield from _try(renderer, template, channel=channel, locale=locale)
                else:
                    yield Finding(f"{locale}/{template}", f"{' and '.join(files)} must be there for {channel}")


def _try(renderer: Renderer, template: str, *, channel: str, locale: str) -> Iterator[Finding]:
    full = sample(renderer, template)
    for context in (full, barest(full)):
        try:
            text = _write(renderer, template, channel=channel, locale=locale, context=context)
        except TemplateError as error:
            yield Finding(error.file, error.problem)
            return
        empty = [field for field in text.__struct_fields__ if not getattr(text, field).strip()]
        if empty:
            yield Finding(f"{locale}/{template}", f"{channel}: {', '.join(empty)} is empty with some values missing")
            return
