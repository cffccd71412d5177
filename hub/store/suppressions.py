"""Suppressions: addresses that a provider has refused for good, not written to again for a while.

Only a digest of an address is kept: a list of bad addresses is personal data nobody needs to read. An index tells an
operator which there are; it is written after the suppression itself, and what it has too much is left out when read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from hub.domain.errors import InputError
from hub.store.clock import Clock, unix_ms
from hub.store.connection import pipelined, read_pipelined
from hub.store.keys import Keys
from hub.store.round_trip import Command
from hub.store.scripts import Call, Scripts, load_script
from hub.store.server import Server

SUPPRESSED_S = 90 * 86_400
MAX_PAGE = 100
LISTED_MAX = 100_000
"""The newest so many can be listed; older ones count as well."""
_ADD = load_script("suppression_add")
_REASON_MAX = 200
_MS = 1_000
_ID = re.compile(r"([a-z][a-z0-9-]{0,31}):([0-9a-f]{32})")
_CURSOR = re.compile(r"\d{13}:[a-z][a-z0-9-]{0,31}:[0-9a-f]{32}")


class Suppression(msgspec.Struct, frozen=True):
    """A suppressed address. `id` stands for it; `until_ms` is None where it is suppressed until it is removed.

    `wording` is what the person has said about it, where it is them who want it.
    """

    id: str
    channel: str
    reason: str
    at_ms: int
    until_ms: int | None = None
    wording: str = ""


class SuppressionPage(msgspec.Struct, frozen=True):
    """Some suppressions, the newest first. `cursor` asks for those after them, None: there are no more."""

    suppressions: tuple[Suppression, ...]
    cursor: str | None


class _Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a suppression."""

    reason: str
    at_ms: int = 0
    until_ms: int | None = None
    wording: str = ""


def address_digest(address: str) -> str:
    """Return what stands for an address, the same for every spelling of its letters: 32 hex digits."""
    return blake2b(address.lower().encode(), digest_size=16).hexdigest()


class Suppressions:
    """The suppressed addresses of one installation, by channel. Every method raises StoreUnavailable."""

    def __init__(
        self, server: Server, scripts: Scripts, keys: Keys, *, ttl_s: int = SUPPRESSED_S, clock: Clock = unix_ms
    ) -> None:
        """Take `ttl_s`: after that an address may be tried again, for mailboxes come back."""
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._ttl_s = ttl_s
        self._clock = clock

    async def add(self, channel: str, address: str, *, reason: str) -> None:
        """Suppress an address from now for the whole time."""
        await self.add_digest(channel, address_digest(address), reason=reason)

    async def stop(self, channel: str, address: str, *, reason: str, wording: str) -> None:
        """Suppress an address until it is removed, as the person has said in these words."""
        await self.add_digest(channel, address_digest(address), reason=reason, for_s=0, wording=wording)

    async def add_digest(
        self, channel: str, digest: str, *, reason: str, for_s: int | None = None, wording: str = ""
    ) -> bool:
        """Suppress an address known by its digest, for `for_s` seconds, 0: for good, None: the whole time.

        A shorter suppression takes no place of a longer one; say whether this one is news.
        """
        lasts_s = self._ttl_s if for_s is None else for_s
        now_ms = self._clock()
        note = _Note(reason[:_REASON_MAX], now_ms, now_ms + lasts_s * _MS if lasts_s else None, wording)
        key = self._keys.suppression(channel, digest)
        if not await self._scripts.run(_ADD, Call((key,), (msgspec.json.encode(note), lasts_s))):
            return False
        index = self._keys.suppressions("index")
        # All of one score: the members themselves are in the order of time, so that a page begins where one ended.
        entered: Command = ("ZADD", index, 0, f"{now_ms:013d}:{channel}:{digest}")
        await pipelined(self._server, [entered, ("ZREMRANGEBYRANK", index, 0, -LISTED_MAX - 1)], what="suppression")
        return True

    async def remove(self, channel: str, address: str) -> bool:
        """Let an address be written to again; say whether it was suppressed."""
        return await self._remove(channel, address_digest(address))

    async def remove_id(self, suppression_id: str) -> bool:
        """Remove a suppression by its id; say whether there was one."""
        match = _ID.fullmatch(suppression_id)
        return match is not None and await self._remove(match[1], match[2])

    async def find_many(self, addresses: Sequence[tuple[str, str]]) -> Sequence[Suppression | None]:
        """Return the suppression of each (channel, address), None where it may be written to, in one round trip."""
        return await self._read([(channel, address_digest(address)) for channel, address in addresses])

    async def list(self, *, cursor: str | None = None, limit: int = MAX_PAGE) -> SuppressionPage:
        """Return up to `limit` (1-100) suppressions after `cursor`. Raises InputError for bad bounds."""
        if not 1 <= limit <= MAX_PAGE:
            raise InputError("limit", f"must be 1 to {MAX_PAGE}")
        if cursor is not None and not _CURSOR.fullmatch(cursor):
            raise InputError("cursor", "is not one that a page has given")
        index = self._keys.suppressions("index")
        found: list[Suppression] = []
        after = f"({cursor}" if cursor else "+"
        while True:
            read: Command = ("ZREVRANGEBYLEX", index, after, "-", "LIMIT", 0, MAX_PAGE)
            (replies,) = await read_pipelined(self._server, [read], what="suppressions")
            members = [reply.decode() for reply in replies]
            for member, suppression in zip(members, await self._noted(members), strict=True):
                after = f"({member}"
                if suppression is not None:
                    found.append(suppression)
                if len(found) == limit:
                    return SuppressionPage(tuple(found), member)
            if len(members) < MAX_PAGE:
                return SuppressionPage(tuple(found), None)

    async def _noted(self, members: Sequence[str]) -> Sequence[Suppression | None]:
        """Return the suppressions of entries of the index, None for those over; these leave the index."""
        if not members:
            return []
        parts = [member.split(":") for member in members]
        found = await self._read([(channel, digest) for _, channel, digest in parts])
        noted = [
            suppression if suppression is not None and suppression.at_ms == int(at) else None
            for (at, _, _), suppression in zip(parts, found, strict=True)
        ]
        over = [member for member, suppression in zip(members, noted, strict=True) if suppression is None]
        if over:
            await pipelined(self._server, [("ZREM", self._keys.suppressions("index"), *over)], what="suppressions")
        return noted

    async def _read(self, places: Sequence[tuple[str, str]]) -> Sequence[Suppression | None]:
        """Return what is noted of each (channel, digest)."""
        reads: list[Command] = [("GET", self._keys.suppression(channel, digest)) for channel, digest in places]
        values = await read_pipelined(self._server, reads, what="suppressions")
        return [
            _suppression(channel, digest, _note(value)) if value else None
            for (channel, digest), value in zip(places, values, strict=True)
        ]

    async def _remove(self, channel: str, digest: str) -> bool:
        (removed,) = await read_pipelined(
            self._server, [("DEL", self._keys.suppression(channel, digest))], what="suppression"
        )
        return bool(removed)


def _suppression(channel: str, digest: str, note: _Note) -> Suppression:
    return Suppression(f"{channel}:{digest}", channel, note.reason, note.at_ms, note.until_ms, note.wording)


def _note(value: bytes) -> _Note:
    """Read what is kept; of what an earlier version wrote only the reason."""
    try:
        return msgspec.json.decode(value, type=_Note)
    except msgspec.DecodeError:
        return _Note(value.decode(errors="replace"))
