"""Velocity: how many messages have gone to a number, or to numbers that belong together, in the window that runs.

Windows are fixed: hours and days of Unix time. Only a digest of a number is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from hub.store.clock import Clock, unix_ms
from hub.store.keys import Keys
from hub.store.scripts import Call, Scripts, load_script

_TAKE = load_script("velocity_take")
_MS = 1_000


class Bound(msgspec.Struct, frozen=True):
    """At most `count` messages in each window of `window_s` seconds for what `subject` names."""

    name: str
    subject: str
    count: int
    window_s: int


class Velocity:
    """The windows of one installation. Every method raises StoreUnavailable."""

    def __init__(self, scripts: Scripts, keys: Keys, *, clock: Clock = unix_ms) -> None:
        self._scripts = scripts
        self._keys = keys
        self._clock = clock

    async def take(self, what: str, bounds: Sequence[Bound]) -> str | None:
        """Count `what` under every bound; return the name of the first that leaves no room, None where all do.

        The same `what` is counted once in a window. Bounds are taken in order, up to the first without room.
        """
        for bound in bounds:
            window = self._clock() // _MS // bound.window_s
            digest = blake2b(bound.subject.encode(), digest_size=12).hexdigest()
            key = self._keys.velocity(bound.name, digest, window)
            if not await self._scripts.run(_TAKE, Call((key,), (what, bound.count, bound.window_s))):
                return bound.name
        return None
