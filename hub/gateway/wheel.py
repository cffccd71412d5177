"""A timer wheel: one loop timer per worker instead of one per connection.

Setting, moving and clearing a deadline cost O(1). Deadlines are as coarse as a tick, and one beyond the wheel's
horizon comes up early: its owner then finds that it is not due and sets it again.
"""

from __future__ import annotations

from typing import Protocol


class Timed(Protocol):
    """Something with one deadline. `slot` belongs to the wheel; -1 while there is no deadline."""

    slot: int

    def on_time(self, now_s: float) -> None:
        """The deadline has come, or the wheel's horizon. Must set the next one, if any."""


class Wheel:
    """Deadlines in slots of `tick_s` seconds; `slots` of them make the horizon. Times are monotonic seconds."""

    __slots__ = ("_at", "_slots", "_tick_s")

    def __init__(self, *, now_s: float, tick_s: float = 0.25, slots: int = 256) -> None:
        self._tick_s = tick_s
        self._slots: list[set[Timed]] = [set() for _ in range(slots)]
        self._at = int(now_s / tick_s)
        """The last tick that has been carried out."""

    @property
    def tick_s(self) -> float:
        """How often `advance` should be called, in seconds."""
        return self._tick_s

    def set(self, timed: Timed, due_s: float) -> None:
        """Set or move the deadline of `timed`. A deadline in the past comes up with the next tick."""
        if timed.slot >= 0:
            self._slots[timed.slot].discard(timed)
        ticks_ahead = int(due_s / self._tick_s) + 1 - self._at
        ahead = min(max(ticks_ahead, 1), len(self._slots) - 1)
        timed.slot = (self._at + ahead) % len(self._slots)
        self._slots[timed.slot].add(timed)

    def clear(self, timed: Timed) -> None:
        """Forget the deadline of `timed`, if there is one."""
        if timed.slot >= 0:
            self._slots[timed.slot].discard(timed)
            timed.slot = -1

    def advance(self, now_s: float) -> int:
        """Call everybody whose deadline has passed, and return how many they were.

        After a stall all overdue slots come up at once, each only once.
        """
        until = int(now_s / self._tick_s)
        first = max(self._at + 1, until - len(self._slots) + 1)
        fired = 0
        for tick in range(first, until + 1):
            self._at = tick
            slot = tick % len(self._slots)
            due, self._slots[slot] = self._slots[slot], set()
            for timed in due:
                # Somebody earlier in this slot may have cleared it.
                if timed.slot == slot:
                    timed.slot = -1
                    timed.on_time(now_s)
                    fired += 1
        return fired
