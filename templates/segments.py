"""How many messages a text is charged and sent as, and how it is cut to as many as it may be. Pure.

3GPP TS 23.038: a text of the GSM 7-bit alphabet has 160 characters, or 153 in each of several parts, where a few
characters count twice. Any other character makes it UCS-2: 70 or 67 UTF-16 units.
"""

from __future__ import annotations

import msgspec

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
_GSM_ONE, _GSM_PART = 160, 153
_UCS_ONE, _UCS_PART = 70, 67
_BEYOND_UCS_2 = 0x10000
# Typography that costs a whole text its alphabet, and what says the same.
_PLAIN = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2013": "-",
        "\u2014": "-",
        "\u2026": "...",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
    }
)


class Size(msgspec.Struct, frozen=True):
    """What a text comes to."""

    segments: int
    unicode: bool
    """Whether it needs UCS-2."""


def plain(text: str) -> str:
    """Return the text with quotes, dashes and spaces of the simple kind, if that spares it UCS-2."""
    simple = text.translate(_PLAIN)
    return simple if _is_gsm(simple) else text


def size(text: str) -> Size:
    """Return how many segments a text takes."""
    if _is_gsm(text):
        return Size(_parts([_gsm_units(each) for each in text], _GSM_ONE, _GSM_PART), unicode=False)
    return Size(_parts([_ucs_units(each) for each in text], _UCS_ONE, _UCS_PART), unicode=True)


def cut(text: str, most_segments: int) -> str:
    """Return the text, or as many whole words of its beginning as fit into so many segments, with dots."""
    if size(text).segments <= most_segments:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if size(_ended(text[:middle])).segments <= most_segments:
            low = middle
        else:
            high = middle - 1
    kept = text[:low]
    words = kept.rpartition(" ")[0] or kept
    return _ended(words)


def _ended(text: str) -> str:
    return text.rstrip(" \n,.;:") + "..."


def _is_gsm(text: str) -> bool:
    return all(each in _BASIC or each in _EXTENDED for each in text)


def _gsm_units(character: str) -> int:
    return 2 if character in _EXTENDED else 1


def _ucs_units(character: str) -> int:
    return 2 if ord(character) >= _BEYOND_UCS_2 else 1


def _parts(units: list[int], one: int, part: int) -> int:
    """Count the parts; a character of two units is never split between two of them."""
    if sum(units) <= one:
        return 1
    parts, used = 1, 0
    for each in units:
        if used + each > part:
            parts, used = parts + 1, 0
        used += each
    return parts
