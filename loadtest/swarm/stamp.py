"""The stamp in a publication: which series it belongs to, its number there, and when it was sent.

It is plain text without characters that JSON or a URL would change, so that it survives as a field of a payload or as
an order's id, and a client finds it without knowing what the publication is about. Times are CLOCK_MONOTONIC in
nanoseconds, which all processes of one machine share: sender and receivers must run on the same one.
"""

from __future__ import annotations

import re
import time
from typing import NamedTuple

import msgspec

_STAMP = re.compile(rb"~([a-z0-9-]+)\.(\d+)\.(\d+)~")


class Stamp(NamedTuple):
    """`series` is lower-case letters, digits and dashes."""

    series: str
    number: int
    sent_ns: int

    def __str__(self) -> str:
        return f"~{self.series}.{self.number}.{self.sent_ns}~"


def stamp(series: str, number: int) -> Stamp:
    """Return a stamp of now."""
    return Stamp(series, number, time.monotonic_ns())


def find(data: bytes | msgspec.Raw) -> Stamp | None:
    """Return the first stamp in a publication, None where there is none."""
    match = _STAMP.search(data)
    return Stamp(match[1].decode(), int(match[2]), int(match[3])) if match else None


def payload(series: str, number: int, *, size_bytes: int) -> bytes:
    """Return a JSON object of `size_bytes` that carries a stamp of now; a little more where that is too few."""
    head = f'{{"text":"{stamp(series, number)}"'
    padding = "x" * max(0, size_bytes - len(head) - len(',"pad":""}'))
    return f'{head},"pad":"{padding}"}}'.encode()
