"""Instants as a person reads them: days, times of day and distances (`in 5 minutes`), in a locale and a time zone.

Every piece is cached by what it depends on (a date, a minute of the day), because Babel takes 20 µs for each.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta, match_skeleton

_DAY_SKELETON = "MMMMEd"
_WEEKDAY = re.compile(r"[Ec]+")
_SHORT_MONTH = re.compile(r"(?<!M)MMM(?!M)")
_ZONE_NAME_MAX = 64


@lru_cache(maxsize=1_024)
def find_zone(name: str) -> tzinfo | None:
    """Return an IANA time zone by name, None for a name that no zone has on this machine."""
    if not name or len(name) > _ZONE_NAME_MAX:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return None


def zone(name: str) -> tzinfo:
    """Return an IANA time zone by name; UTC for a name that no zone has, because a mail must not fail over it."""
    return find_zone(name) or UTC


def local(instant_ms: int, in_zone: tzinfo) -> datetime:
    """Return a Unix time in ms as a local time.

    Raises:
        ValueError: the instant lies outside the years 1 to 9999.
    """
    try:
        return datetime.fromtimestamp(instant_ms / 1_000, in_zone)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{instant_ms} ms is no time that a calendar has") from error


@lru_cache(maxsize=256)
def _day_pattern(locale: str) -> str:
    """CLDR's pattern for weekday, day and month, both written out."""
    skeletons = Locale.parse(locale).datetime_skeletons
    name = match_skeleton(_DAY_SKELETON, skeletons)
    if name is None:
        return "full"
    return _SHORT_MONTH.sub("MMMM", _WEEKDAY.sub("EEEE", str(skeletons[name])))


@lru_cache(maxsize=4_096)
def day(locale: str, on: date) -> str:
    """Return a date without its year: `Sunday, November 22`."""
    return format_date(on, _day_pattern(locale), locale=locale)


@lru_cache(maxsize=4_096)
def full_day(locale: str, on: date) -> str:
    """Return a date with its year: `November 22, 2026`."""
    return format_date(on, "long", locale=locale)


@lru_cache(maxsize=8_192)
def time_of_day(locale: str, hour: int, minute: int) -> str:
    """Return a time of day to the minute: `6:40 PM`, `18:40`."""
    return format_time(time(hour, minute), "short", locale=locale)


@lru_cache(maxsize=4_096)
def from_now(locale: str, minutes: int) -> str:
    """Return a distance in time, rounded as Babel does: `in 5 minutes`, `2 hours ago`. Less than one counts as one."""
    distance = timedelta(minutes=minutes or 1)
    return format_timedelta(distance, granularity="minute", add_direction=True, locale=locale)
