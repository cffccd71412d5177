"""Quiet hours: the part of the day in which a person is not disturbed. Pure.

The window is what the clock on the person's wall says. Where the clocks change inside of it, an hour that comes twice
is quiet both times, and one that is left out is not waited for.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Annotated

import msgspec
from msgspec import Meta

TIME_OF_DAY_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z"
TimeOfDay = Annotated[str, Meta(pattern=TIME_OF_DAY_PATTERN)]
_S = 1_000
_DAY_MS = 86_400_000


class QuietHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `start` up to, not including, `end`, as `HH:MM`; over midnight where `end` is the smaller.

    Both the same: never quiet, also where the installation has quiet hours for everybody.
    """

    start: TimeOfDay
    end: TimeOfDay


def parse_quiet_hours(text: str) -> QuietHours:
    """Return the quiet hours that `22:00-07:00` stands for. Raises ValueError, whose message says what to write."""
    start, dash, end = text.partition("-")
    try:
        return msgspec.convert({"start": start, "end": end if dash else ""}, QuietHours)
    except msgspec.ValidationError as error:
        raise ValueError("write two times of day: 22:00-07:00") from error


def quiet_until_ms(quiet: QuietHours, now_ms: int, zone: tzinfo) -> int | None:
    """Return the first instant (Unix ms) after the window that `now_ms` lies in; None where it is not quiet now."""
    start_ms, end_ms = _of_day_ms(quiet.start), _of_day_ms(quiet.end)
    at_ms = now_ms
    while _is_within(_wall_ms(at_ms, zone), start_ms, end_ms):
        end_at_ms = at_ms + (end_ms - _wall_ms(at_ms, zone)) % _DAY_MS
        if _offset_ms(end_at_ms, zone) == _offset_ms(at_ms, zone):
            return end_at_ms
        # The clocks change on the way: go on from there, with what they say then.
        at_ms = _change_ms(at_ms, end_at_ms, zone)
    return at_ms if at_ms > now_ms else None


def _is_within(wall_ms: int, start_ms: int, end_ms: int) -> bool:
    if start_ms <= end_ms:
        return start_ms <= wall_ms < end_ms
    return wall_ms >= start_ms or wall_ms < end_ms


def _of_day_ms(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return (int(hours) * 60 + int(minutes)) * 60 * _S


def _wall_ms(at_ms: int, zone: tzinfo) -> int:
    """Return how long ago midnight was by the clock on the wall."""
    return (at_ms + _offset_ms(at_ms, zone)) % _DAY_MS


def _offset_ms(at_ms: int, zone: tzinfo) -> int:
    offset = datetime.fromtimestamp(at_ms // _S, zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds() * _S)


def _change_ms(before_ms: int, after_ms: int, zone: tzinfo) -> int:
    """Return when the clocks change between two instants, to the second: they do so once within a day."""
    offset_ms = _offset_ms(before_ms, zone)
    low_s, high_s = before_ms // _S, -(-after_ms // _S)
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if _offset_ms(middle_s * _S, zone) == offset_ms:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s * _S
