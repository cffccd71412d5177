"""How a parked event stands in Redis: `<deadline_ms>:<body>`, so that values sort by deadline."""

from __future__ import annotations

from collections.abc import Iterable


def in_order(values: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the bodies of parked events, the one with the earliest deadline (parked first) first."""
    return tuple(body for _, body in sorted(map(split, values)))


def split(value: bytes) -> tuple[int, bytes]:
    """Return the deadline, in Unix ms, and the body of a parked event."""
    deadline_ms, _, body = value.partition(b":")
    return int(deadline_ms), body
