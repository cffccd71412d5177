"""Checks of the pages that people open behind signed links: each in every locale, in every state it may be in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from templates.catalog import PAGES
from templates.findings import Finding, finding_of
from templates.renderer import Renderer
from templates.source_checks import line_of_tag, unbalanced
from templates.texts import TemplateError

_LINK = "https://hub.shop.example/p/token"
_CELLS = (
    {"name": "orders/email", "channel": "email", "on": True},
    {"name": "orders/fax", "channel": "fax", "on": False},
)
_PREFERENCES: Mapping[str, Any] = {
    "categories": (
        {"name": "orders", "plain": "orders", "cells": _CELLS},
        {"name": "no-such-word", "plain": "no such word", "cells": _CELLS},
    ),
    "sms_stop": {"source": "sms STOP", "at_ms": 1_767_261_600_000, "wording": "Stop"},
    "marketing": _CELLS,
    "quiet": True,
    "quiet_from": "22:00",
    "quiet_until": "07:00",
    "own_zone": "Europe/Berlin",
    "zone": "Europe/Berlin",
    "zones": ("America/Sao_Paulo", "Europe/Berlin"),
    "paused_until": 1_767_261_600_000,
    "saved": True,
}
_NOTHING_CHOSEN: Mapping[str, Any] = {
    "sms_stop": None,
    "quiet": False,
    "own_zone": "",
    "paused_until": None,
    "saved": False,
}
SAMPLES: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "preferences": (_PREFERENCES, {**_PREFERENCES, **_NOTHING_CHOSEN}),
    "unsubscribe": ({"done": False, "preferences_link": _LINK}, {"done": True, "preferences_link": ""}),
    "notice": tuple({"notice": notice} for notice in ("gone", "later", "mistake")),
}
"""The variables of each page, in every state."""


def wrong_pages(renderer: Renderer) -> Iterator[Finding]:
    """Find the pages that cannot be shown, or whose tags are not closed."""
    for name, states in SAMPLES.items():
        file = f"{PAGES}{name}.html"
        for locale, variables in product(renderer.catalog.locales(), states):
            try:
                tag = unbalanced(renderer.exact_page(name, locale, "UTC", variables))
            except TemplateError as error:
                yield finding_of(error)
                continue
            if tag is not None:
                yield Finding(file, tag[1], line_of_tag(tag[1], renderer.catalog.source(file)))
