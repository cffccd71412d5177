"""When a broker may be told that work is done: after the writes, plus the time Redis takes to sync them to disk.

With `appendfsync everysec` a write is on disk at most about two seconds after Redis answered it, and a power loss takes
the last of them away. So work that was written is kept in a ledger, and it is acknowledged only when

1. the fsync interval has gone by since the write, and
2. Redis is still in the life (`Generation`) under which the write was made.

A changed generation means that Redis was restarted or failed over in between: the writes may be gone, so everything
not yet acknowledged is to be processed again, which repeats nothing because every effect has an id that the store
knows. (`WAITAOF` would say the same without waiting, but needs Redis 7.2.)

The generation noted for a write may be older than the write itself, never younger: too old costs a needless replay.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from consumers.ports import Generation

M = TypeVar("M")
"""A mark: whatever the broker needs to acknowledge one batch, or to deliver it again."""


@dataclass(frozen=True, slots=True)
class Acknowledge(Generic[M]):
    """The work of these marks is safe on disk, oldest first. No marks: nothing is due yet."""

    marks: tuple[M, ...]


@dataclass(frozen=True, slots=True)
class Replay(Generic[M]):
    """The work of these marks may be lost, oldest first: process it again."""

    marks: tuple[M, ...]


@dataclass(frozen=True, slots=True)
class _Written(Generic[M]):
    at_s: float
    generation: Generation
    mark: M


class Ledger(Generic[M]):
    """Work that is written but perhaps not yet on disk, in the order of the writes.

    It holds one entry per batch; what bounds it is the broker's own bound on unacknowledged work. Times are seconds of
    one monotonic clock.
    """

    def __init__(self, *, fsync_interval_s: float) -> None:
        self._fsync_interval_s = fsync_interval_s
        self._entries: deque[_Written[M]] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def written(self, mark: M, *, at_s: float, generation: Generation) -> None:
        """Note a batch: its first write began after `generation` was read, its last one was answered by `at_s`."""
        self._entries.append(_Written(at_s, generation, mark))

    def due(self, *, now_s: float, generation: Generation) -> Acknowledge[M] | Replay[M]:
        """Take out what may be acknowledged now; everything, if Redis is in another life than at one of the writes."""
        if any(entry.generation != generation for entry in self._entries):
            return Replay(self.clear())
        done: list[M] = []
        while self._entries and self._entries[0].at_s + self._fsync_interval_s <= now_s:
            done.append(self._entries.popleft().mark)
        return Acknowledge(tuple(done))

    def clear(self) -> tuple[M, ...]:
        """Forget everything, oldest first: the broker will deliver it again."""
        marks = tuple(entry.mark for entry in self._entries)
        self._entries.clear()
        return marks
