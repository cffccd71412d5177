"""What became of the calls of the last minute, in slots of five seconds. Pure."""

from __future__ import annotations

from collections import Counter, deque

MINUTE_S = 60.0
_SLOT_S = 5.0
_SLOTS = round(MINUTE_S / _SLOT_S)


class Tally:
    """Counts words by the time they fell. Times are monotonic seconds and never go back."""

    def __init__(self) -> None:
        self._slots: deque[tuple[int, Counter[str]]] = deque(maxlen=_SLOTS)

    def count(self, word: str, now_s: float) -> None:
        """Count a word."""
        slot = int(now_s // _SLOT_S)
        if not self._slots or self._slots[-1][0] != slot:
            self._slots.append((slot, Counter()))
        self._slots[-1][1][word] += 1

    def last_minute(self, now_s: float) -> dict[str, int]:
        """Return how often each word fell in the last minute, to five seconds."""
        oldest = int(now_s // _SLOT_S) - _SLOTS + 1
        counts = [counter for slot, counter in self._slots if slot >= oldest]
        return dict(sum(counts, Counter[str]()))
