"""Header values that stay header values, whatever people are called.

A line break in a value would begin a new header, and an encoded word may hide one (CVE-2024-6923 in CPython before
3.11.10), so both are taken out of every text, and the head of a built mail is read again before it is used.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence

TEXT_MAX = 250
"""Characters of a header's text at most; one line stays below the 998 of RFC 5322."""
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ENCODED_WORD = re.compile(r"=\?|\?=")
_WORD_BYTES = 45
"""UTF-8 bytes in one encoded word: 60 characters of base64, within the 75 of RFC 2047."""
_HEADER = rb"[!-9;-~]+:[ -~]*\r\n(?:[ ][ -~]*\r\n)*"
"""A name, a value of printable ASCII and its folded lines: whatever a mail program takes for a line's end is none."""
_HEAD = re.compile(b"(?:%b)*" % _HEADER)
_NAME = re.compile(rb"(?m)^([!-9;-~]+):")


def single_line(text: str) -> str:
    """Return a text as one line that can begin no header and no encoded word, bounded in length."""
    line = _BREAKS.sub(" ", text)
    while _ENCODED_WORD.search(line):
        line = _ENCODED_WORD.sub("", line)
    line = line.strip()
    return line if len(line) <= TEXT_MAX else line[: TEXT_MAX - 1] + "…"


def encoded(line: str) -> str:
    """Return a single line in ASCII: as it is, or as the encoded words of RFC 2047, folded one a line."""
    if line.isascii():
        return line
    words: list[str] = []
    chunk = b""
    for character in line:
        piece = character.encode()
        if len(chunk) + len(piece) > _WORD_BYTES:
            words.append(_word(chunk))
            chunk = b""
        chunk += piece
    words.append(_word(chunk))
    return "\r\n ".join(words)


def _word(chunk: bytes) -> str:
    return f"=?utf-8?b?{b64encode(chunk).decode()}?="


def names(head: bytes) -> Sequence[str]:
    """Return the names of the headers that a mail program will see in a head; none where it is not plain to read.

    A regular expression, for the standard library's parser takes as long as rendering the mail's text.
    """
    return [name.decode() for name in _NAME.findall(head)] if _HEAD.fullmatch(head) else []
