"""The form of the preferences page: what a person sees of their preferences, and what their answer changes. Pure.

A box that is not ticked is not sent. So the form names, in hidden fields, everything that it has asked about: what came
into being since it was shown stays as it is. And only what differs from what holds is changed: whoever saves the form
as it was has said nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from hub.domain.channels import SMS, Channel
from hub.domain.errors import InputError
from hub.domain.events import Consent
from hub.domain.preferences import PreferenceChange
from hub.domain.quiet_hours import QuietHours, parse_quiet_hours
from hub.service.person.preferences import PreferencesView

SOURCE = "preferences page"
WORDING = "preferences-page-1"
"""The version of the words by which the page asks for consent (`page_marketing_note` in words.toml)."""
NEVER_QUIET = QuietHours("00:00", "00:00")
_USUAL = QuietHours("22:00", "07:00")
_SEPARATOR = "/"
_DAY_MS = 86_400_000
_PAUSES_MS = {"day": _DAY_MS, "week": 7 * _DAY_MS, "month": 30 * _DAY_MS}
_CELLS_MAX = 2_000

Form = Mapping[str, Sequence[str]]
"""The fields of a form, each with all its values."""


class Cell(msgspec.Struct, frozen=True):
    """One box: a category on a channel. `name` is what the form calls it."""

    name: str
    channel: Channel
    on: bool


class Row(msgspec.Struct, frozen=True):
    """A category. `plain` is what it is called where no language has a word for it."""

    name: str
    plain: str
    cells: tuple[Cell, ...]


def shown(view: PreferencesView, *, now_ms: int) -> dict[str, Any]:
    """Return what the page shows: the variables of `pages/preferences.html`."""
    quiet = view.in_force.quiet_hours
    hours = quiet or _USUAL
    return {
        "categories": [row for name in view.categories if (row := _row(view, name)).cells],
        "marketing": [
            Cell(channel, channel, _granted(view, channel))
            for channel in _channels(view)
            if channel not in view.own_stops
        ],
        "sms_stop": view.own_stops.get(SMS),
        "quiet": quiet is not None,
        "quiet_from": hours.start,
        "quiet_until": hours.end,
        "own_zone": view.time_zone or "",
        "zone": view.in_force.time_zone,
        "paused_until": view.snoozed_until_ms if view.snoozed_until_ms > now_ms else None,
    }


def change_of(form: Form, view: PreferencesView, *, now_ms: int) -> PreferenceChange:
    """Return what a form changes. Raises InputError that names the field which makes no sense."""
    zone = _zone(form, view)
    return PreferenceChange(
        switches=_switches(form, view),
        consent=_consent(form, view, now_ms),
        quiet_hours=_quiet_hours(form, view),
        time_zone=zone,
        snoozed_until_ms=_pause(form, view, now_ms),
    )


def _row(view: PreferencesView, category: str) -> Row:
    cells = (
        Cell(f"{category}{_SEPARATOR}{channel}", channel, on)
        for channel, on in view.categories[category].items()
        if not _stopped(view, category, channel)
    )
    return Row(category, category.replace("_", " ").replace("-", " ").capitalize(), tuple(cells))


def _stopped(view: PreferencesView, category: str, channel: Channel) -> bool:
    stops = (view.stopped.get(category, ()), view.stopped.get("*", ()))
    return channel in view.own_stops or any("*" in channels or channel in channels for channels in stops)


def _channels(view: PreferencesView) -> list[Channel]:
    return list(dict.fromkeys(channel for row in view.categories.values() for channel in row))


def _granted(view: PreferencesView, channel: Channel) -> bool:
    word = view.consent.get(channel)
    return word is not None and word.granted


def _switches(form: Form, view: PreferencesView) -> dict[str, dict[Channel, bool | None]]:
    ticked = frozenset(form.get("on", ()))
    switches: dict[str, dict[Channel, bool | None]] = {}
    for name in form.get("cell", ())[:_CELLS_MAX]:
        category, _, text = name.rpartition(_SEPARATOR)
        channel = Channel(text)
        holds = view.categories.get(category, {}).get(channel)
        if holds is None:
            raise InputError("cell", f"{name[:100]} is none that the page has shown")
        if (name in ticked) is not holds and not _stopped(view, category, channel):
            switches.setdefault(category, {})[channel] = name in ticked
    return switches


def _consent(form: Form, view: PreferencesView, now_ms: int) -> dict[Channel, Consent]:
    ticked = frozenset(form.get("consent", ()))
    at = datetime.fromtimestamp(now_ms / 1_000, UTC)
    asked = [Channel(name) for name in form.get("asked", ())[:_CELLS_MAX]]
    return {
        channel: Consent(granted=channel in ticked, at=at, source=SOURCE, wording=WORDING)
        for channel in asked
        if (channel in ticked) is not _granted(view, channel)
    }


def _quiet_hours(form: Form, view: PreferencesView) -> QuietHours | UnsetType:
    if "quiet_from" not in form:
        return UNSET
    if not form.get("quiet"):
        return UNSET if view.in_force.quiet_hours is None else NEVER_QUIET
    try:
        hours = parse_quiet_hours(f"{_first(form, 'quiet_from')}-{_first(form, 'quiet_until')}")
    except ValueError as error:
        raise InputError("quiet_from", str(error)) from error
    return UNSET if hours == view.in_force.quiet_hours else hours


def _zone(form: Form, view: PreferencesView) -> str | UnsetType | None:
    if "time_zone" not in form:
        return UNSET
    chosen = _first(form, "time_zone") or None
    return UNSET if chosen == view.time_zone else chosen


def _pause(form: Form, view: PreferencesView, now_ms: int) -> int | UnsetType:
    match _first(form, "pause"):
        case "" | "keep":
            return UNSET
        case "none":
            return UNSET if view.snoozed_until_ms <= now_ms else 0
        case name if name in _PAUSES_MS:
            return now_ms + _PAUSES_MS[name]
        case _:
            raise InputError("pause", f"must be one of none, {', '.join(_PAUSES_MS)}")


def _first(form: Form, name: str) -> str:
    return next(iter(form.get(name, ())), "")
