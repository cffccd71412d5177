"""Phone numbers, by the rules of libphonenumber. Pure."""

from __future__ import annotations

import msgspec
import phonenumbers


class Number(msgspec.Struct, frozen=True):
    """A number that can be texted. `country` is ISO 3166-1 alpha-2; `prefix` is what numbers bought together share."""

    e164: str
    country: str
    prefix: str


_PREFIX_DIGITS = 4
"""Beyond the country's code. Ranges that are pumped are ten thousand numbers and more."""


def number(text: str) -> Number | None:
    """Return the number that a text in E.164 stands for, None where there can be no phone that takes texts."""
    try:
        parsed = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    country = phonenumbers.region_code_for_number(parsed)
    kind = phonenumbers.number_type(parsed)
    textable = kind in {
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        phonenumbers.PhoneNumberType.PAGER,
    }
    if country is None or not textable or not phonenumbers.is_valid_number(parsed):
        return None
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return Number(e164, country, e164[: 1 + len(str(parsed.country_code)) + _PREFIX_DIGITS])
