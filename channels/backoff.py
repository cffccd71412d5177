"""How long to wait before another try: full jitter, so that what failed together does not come back together. Pure."""

from __future__ import annotations

import msgspec

RETRY_AFTER_MAX_S = 3_600.0
"""A provider that asks for more is tried again after this: its figure may be a mistake."""
_SPREAD = 0.1


class Backoff(msgspec.Struct, frozen=True):
    """Waits of up to `first_s`, twice that, four times that … and never more than `max_s`, all in seconds."""

    first_s: float = 2.0
    max_s: float = 600.0

    def wait_s(self, tries: int, *, jitter: float, retry_after_s: float | None = None) -> float:
        """Return the wait after `tries` tries (1 or more); `jitter` is random, from 0 up to 1.

        A provider's own wish is a lower bound, spread by up to a tenth above it.
        """
        longest_s = min(self.max_s, self.first_s * 2.0 ** min(max(tries, 1) - 1, 64))
        wait_s = jitter * longest_s
        if retry_after_s is None:
            return wait_s
        asked_s = min(max(retry_after_s, 0.0), RETRY_AFTER_MAX_S)
        return max(wait_s, asked_s * (1.0 + _SPREAD * jitter))
