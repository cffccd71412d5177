"""The reader of a text: the locale, time zone and moment that its figures and dates are written for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple

from babel import Locale

from templates import moments
from templates.exponents import exponent_of
from templates.money import money_format

Words = Mapping[str, str]
"""The short texts of one locale that layouts and filters share, from its `words.toml`."""

_MS_PER_MINUTE = 60_000
_SPOKEN_DAYS = {-1: "yesterday", 0: "today", 1: "tomorrow"}
_YEAR_IS_OBVIOUS_DAYS = 300


class Formats(NamedTuple):
    """What Babel knows of a locale that every reader of it shares."""

    locale: str
    plural_form: Callable[[int], str]
    right_to_left: bool


@lru_cache(maxsize=256)
def formats_of(locale: str) -> Formats:
    """Return the formats of a locale in Babel's spelling."""
    known = Locale.parse(locale)
    return Formats(locale, known.plural_form, right_to_left=known.text_direction == "rtl")


class Reader:
    """Writes values for one person. Its methods are the templates' filters; each raises ValueError for a bad value."""

    __slots__ = ("_locale", "_now_ms", "_plural_form", "_words", "_zone", "right_to_left")

    def __init__(self, formats: Formats, *, zone: tzinfo, now_ms: int, words: Words) -> None:
        self._locale = formats.locale
        self._plural_form = formats.plural_form
        self.right_to_left = formats.right_to_left
        self._zone = zone
        self._now_ms = now_ms
        self._words = words

    def money(self, value: Any) -> str:
        """Return an amount, `{"amount_minor": 123450, "currency": "EUR"}`, as `1.234,50 €`."""
        try:
            amount_minor, currency = value["amount_minor"], value["currency"]
        except (KeyError, TypeError) as error:
            raise ValueError("money needs amount_minor and currency") from error
        if not isinstance(amount_minor, int) or not isinstance(currency, str):
            raise ValueError("money needs an integer amount_minor and a currency code")  # noqa: TRY004 - one error type.
        return money_format(self._locale, currency, exponent_of(currency)).write(amount_minor)

    def day(self, value: Any) -> str:
        """Return the day of an instant: `today`, `tomorrow`, `Sunday, November 22`, with its year where that is far."""
        return self._day(self._local(value))

    def _day(self, at: datetime) -> str:
        on = at.date()
        away = on.toordinal() - moments.local(self._now_ms, self._zone).toordinal()
        spoken = _SPOKEN_DAYS.get(away)
        if spoken is not None:
            return self._words[spoken]
        write = moments.day if abs(away) < _YEAR_IS_OBVIOUS_DAYS else moments.full_day
        return write(self._locale, on)

    def time(self, value: Any) -> str:
        """Return the time of day of an instant: `18:40`."""
        return self._time(self._local(value))

    def _time(self, at: datetime) -> str:
        return moments.time_of_day(self._locale, at.hour, at.minute)

    def when(self, value: Any) -> str:
        """Return day and time of an instant, joined as the language does: `tomorrow at 6:40 PM`."""
        at = self._local(value)
        return self._words["day_at_time"].replace("{day}", self._day(at)).replace("{time}", self._time(at))

    def relative(self, value: Any) -> str:
        """Return how far an instant is: `in 5 minutes`, `2 hours ago`."""
        minutes = round((_instant_ms(value) - self._now_ms) / _MS_PER_MINUTE)
        return moments.from_now(self._locale, minutes)

    def plural(self, count: Any, words: str | None = None, **forms: str) -> str:
        """Return the form for a count by CLDR's rules (zero, one, two, few, many, other); `{n}` in it is the count.

        The forms are named here, or are the words `<words>_one`, `<words>_other`, … of the locale: only those know how
        many forms its language has.
        """
        if not isinstance(count, int):
            raise ValueError("plural needs an integer")  # noqa: TRY004 - one error type.
        wanted = self._plural_form(count)
        if words is None:
            form = forms.get(wanted) or forms.get("other")
        else:
            form = self._words.get(f"{words}_{wanted}") or self._words.get(f"{words}_other")
        if form is None:
            raise ValueError("plural needs at least the form `other`")
        return form.replace("{n}", str(count))

    def _local(self, value: Any) -> datetime:
        return moments.local(_instant_ms(value), self._zone)


def _instant_ms(value: Any) -> int:
    """Take Unix ms or an RFC 3339 text."""
    if isinstance(value, int):
        return value
    if not isinstance(value, str):
        raise ValueError("an instant is Unix ms or RFC 3339")  # noqa: TRY004 - one error type.
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("an RFC 3339 instant needs its offset")
    return round(at.timestamp() * 1_000)
