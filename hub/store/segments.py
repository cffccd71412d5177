"""Segments: named sets of people that a bulk can go to.

A segment has a generation. `put` writes the members of the next one and switches to it at once: a bulk that is under
way, or is to begin later, goes to the people that were there when it was taken. `add` and `remove` change the present
one.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from hub.domain.ids import UserId
from hub.store.clock import Clock, unix_ms
from hub.store.connection import pipelined, read_pipelined
from hub.store.keys import Keys
from hub.store.outcomes_of_bulks import BULK_TTL_S
from hub.store.round_trip import Command
from hub.store.scripts import Call, Scripts, load_script
from hub.store.server import Server

MAX_MEMBERS = 100_000
_SLICE = 500
"""People that one command or script takes: it holds up everybody else for a third of a millisecond."""
_UNFINISHED_S = 600
_MS = 1_000
_SWITCH = load_script("segment_switch")
_KEEP = load_script("segment_keep")
_CHANGE = load_script("segment_change")
_ELSEWHERE, _FULL = -1, -2


class Segment(msgspec.Struct, frozen=True):
    """A segment as it is now. Times are Unix ms."""

    generation: str
    members: int
    changed_ms: int


class SegmentFull(Exception):
    """The members do not fit: `MAX_MEMBERS` is the most. What came before in the same call has been added."""


class Segments:
    """The segments of one installation. Every method raises StoreUnavailable; all writes may be repeated."""

    def __init__(
        self, server: Server, scripts: Scripts, keys: Keys, *, most: int = MAX_MEMBERS, clock: Clock = unix_ms
    ) -> None:
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._most = most
        self._clock = clock

    async def read(self, name: str) -> Segment | None:
        """Return a segment, None where there is none of that name."""
        read: Command = ("HMGET", self._keys.segment(name), "generation", "changed_ms")
        ((generation, changed_ms),) = await read_pipelined(self._server, [read], what="segment read")
        if generation is None:
            return None
        count: Command = ("ZCARD", self._keys.segment_members(name, generation.decode()))
        (members,) = await read_pipelined(self._server, [count], what="segment read")
        return Segment(generation.decode(), members, int(changed_ms))

    async def page(self, name: str, generation: str, *, after: str, limit: int) -> list[UserId]:
        """Return up to `limit` members after one ('': from the beginning), in the order of their ids' bytes."""
        lowest = f"({after}" if after else "-"
        key = self._keys.segment_members(name, generation)
        read: Command = ("ZRANGEBYLEX", key, lowest, "+", "LIMIT", 0, limit)
        (members,) = await read_pipelined(self._server, [read], what="segment page")
        return [UserId(member.decode()) for member in members]

    async def keep(self, name: str, generation: str, *, until_ms: int) -> bool:
        """Have a generation's members readable until then, whoever is put in their place; False where they are gone."""
        keys = (self._keys.segment(name), self._keys.segment_members(name, generation))
        return bool(await self._scripts.run(_KEEP, Call(keys, (generation, until_ms, self._clock()))))

    async def put(self, name: str, users: Sequence[UserId]) -> int:
        """Make people the members of a segment, in the place of all others; return how many they are."""
        generation = secrets.token_hex(8)
        key = self._keys.segment_members(name, generation)
        for batch in _slices(users):
            scored = [part for user in batch for part in (0, user)]
            await pipelined(self._server, [("ZADD", key, *scored), ("EXPIRE", key, _UNFINISHED_S)], what="segment put")
        while not await self._switch(name, generation):
            pass  # Somebody else has switched in between: theirs came first.
        return len(set(users))

    async def delete(self, name: str) -> bool:
        """Forget a segment; False where there is none."""
        known = await self.read(name)
        while not await self._switch(name, ""):
            pass
        return known is not None

    async def add(self, name: str, users: Sequence[UserId]) -> int | None:
        """Add people; return how many are new, None where there is no such segment. Raises SegmentFull."""
        return await self._change(name, users, add=True)

    async def remove(self, name: str, users: Sequence[UserId]) -> int | None:
        """Remove people; return how many there were, None where there is no such segment."""
        return await self._change(name, users, add=False)

    async def _switch(self, name: str, generation: str) -> bool:
        before = await self.read(name)
        old = before.generation if before else ""
        keys = (
            self._keys.segment(name),
            self._keys.segment_members(name, generation),
            self._keys.segment_members(name, old),
        )
        args = (old, generation, self._clock(), BULK_TTL_S * _MS)
        return bool(await self._scripts.run(_SWITCH, Call(keys, args)))

    async def _change(self, name: str, users: Sequence[UserId], *, add: bool) -> int | None:
        changed = 0
        for batch in _slices(users):
            count = await self._change_some(name, batch, add=add)
            if count is None:
                return None
            changed += count
        return changed

    async def _change_some(self, name: str, users: Sequence[UserId], *, add: bool) -> int | None:
        while (known := await self.read(name)) is not None:
            keys = (self._keys.segment(name), self._keys.segment_members(name, known.generation))
            args: tuple[str | int, ...] = (known.generation, int(add), self._most, self._clock(), *users)
            count = int(await self._scripts.run(_CHANGE, Call(keys, args)))
            if count == _FULL:
                raise SegmentFull
            if count != _ELSEWHERE:
                return count
        return None


def _slices(users: Sequence[UserId]) -> list[Sequence[UserId]]:
    return [users[start : start + _SLICE] for start in range(0, len(users), _SLICE)]
