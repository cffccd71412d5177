"""Allowances: how many messages of a kind a person has been sent within sliding windows."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from hub.domain.ids import UserId
from hub.domain.rulings import Allowance
from hub.store.clock import Clock, unix_ms
from hub.store.keys import Keys
from hub.store.scripts import Call, Scripts, load_script

_TAKE = load_script("allowances_take")
_MS = 1_000


class Allowances:
    """The counts of one installation. Every method raises StoreUnavailable."""

    def __init__(self, scripts: Scripts, keys: Keys, *, clock: Clock = unix_ms) -> None:
        self._scripts = scripts
        self._keys = keys
        self._clock = clock

    async def take_many(self, wanted: Sequence[tuple[UserId, Sequence[Allowance]]]) -> list[Allowance | None]:
        """Count messages, each under all of its allowances or under none, in order and in one round trip.

        Return of each the allowance that has no room for it, None where it has been counted, now or before.
        """
        calls = [self._taking(user, allowances) for user, allowances in wanted]
        places = await self._scripts.run_many(_TAKE, calls)
        return [allowances[place - 1] if place else None for (_, allowances), place in zip(wanted, places, strict=True)]

    def _taking(self, user: UserId, allowances: Sequence[Allowance]) -> Call:
        args: list[str | int] = [self._clock()]
        for allowance in allowances:
            args += (allowance.member, len(allowance.caps))
            for cap in allowance.caps:
                args += (cap.count, cap.window_s * _MS)
        return Call(tuple(self._keys.allowance(user, _digest(each.name)) for each in allowances), tuple(args))


def _digest(name: str) -> str:
    return blake2b(name.encode(), digest_size=12).hexdigest()
