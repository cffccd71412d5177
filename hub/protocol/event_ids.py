"""How far a client of an event stream has come, as the id of an event.

A browser sends the id of the last event that it got when it connects again (`Last-Event-ID`), and nothing else that
has changed meanwhile. So an id holds the positions of all topics of the connection:

    1~<mark>.<epoch>.<offset>~<mark>.<epoch>.<offset> …

`mark` is a CRC-32 of the topic's name in hexadecimal, the offset is hexadecimal too. Two topics of one connection that
share a mark do no harm: the epoch of one is not that of the other, so its client is told that it may have missed
something. An id is only believed as to positions; which topics somebody gets is decided by who they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from zlib import crc32

from hub.domain.ids import Epoch, Topic
from hub.domain.topics import Position

MAX_LENGTH = 12_288
"""What the positions of as many topics as a connection may have need, several times over."""
_VERSION = "1"
_ID = re.compile(r"1(?:~[0-9a-f]{8}\.[A-Za-z0-9_-]{1,64}\.[0-9a-f]{1,13})*")
_OTHER_VERSION = re.compile(r"[2-9][\x21-\x7e]*")
_CACHED = 16_384


class BadEventId(Exception):
    """It is none that was ever given out."""


class Reached(Mapping[str, Position]):
    """The positions that an id holds, by topic."""

    def __init__(self, by_mark: Mapping[str, Position]) -> None:
        self._by_mark = by_mark

    def __getitem__(self, topic: str) -> Position:
        return self._by_mark[_mark(topic)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_mark)

    def __len__(self) -> int:
        return len(self._by_mark)


def encode(positions: Iterable[tuple[Topic, Epoch, int]]) -> str:
    """Return the id of an event after which a client has come to these positions."""
    return event_id([f"{place(topic, epoch)}{offset:x}" for topic, epoch, offset in positions]).decode()


def event_id(places: Sequence[str]) -> bytes:
    """Return the id for these places, each `place` followed by the offset in hexadecimal. Made for every event."""
    return "~".join((_VERSION, *places)).encode()


@lru_cache(_CACHED)
def place(topic: Topic, epoch: Epoch) -> str:
    """Return what stands before the offset of a topic."""
    return f"{_mark(topic)}.{epoch}."


def decode(text: str) -> Reached:
    """Return the positions of an id; none of one that another version has given out. Raises BadEventId."""
    if len(text) > MAX_LENGTH:
        raise BadEventId
    if _OTHER_VERSION.fullmatch(text):
        return Reached({})
    if _ID.fullmatch(text) is None:
        raise BadEventId
    by_mark: dict[str, Position] = {}
    for part in text.split("~")[1:]:
        mark, epoch, offset = part.split(".")
        by_mark[mark] = Position(Epoch(epoch), int(offset, 16))
    return Reached(by_mark)


@lru_cache(_CACHED)
def _mark(topic: str) -> str:
    return f"{crc32(topic.encode()):08x}"
