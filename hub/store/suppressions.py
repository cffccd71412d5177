"""Suppressions: addresses that a provider has refused for good, not written to again for a while.

Only a digest of an address is kept: a list of bad addresses is personal data nobody needs to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from hub.store.connection import pipelined, read_pipelined
from hub.store.keys import Keys
from hub.store.round_trip import Command
from hub.store.server import Server

SUPPRESSED_S = 90 * 86_400
_REASON_MAX = 200


class Suppressions:
    """The suppressed addresses of one installation, by channel. Every method raises StoreUnavailable."""

    def __init__(self, server: Server, keys: Keys, *, ttl_s: int = SUPPRESSED_S) -> None:
        """Take `ttl_s`: after that an address may be tried again, for mailboxes come back."""
        self._server = server
        self._keys = keys
        self._ttl_s = ttl_s

    async def add(self, channel: str, address: str, *, reason: str, for_good: bool = False) -> None:
        """Suppress an address, from now for the whole time, or until it is removed."""
        lifetime: Command = () if for_good else ("EX", self._ttl_s)
        write: Command = ("SET", self._key(channel, address), reason[:_REASON_MAX], *lifetime)
        await pipelined(self._server, [write], what="suppression")

    async def remove(self, channel: str, address: str) -> None:
        """Let an address be written to again."""
        await pipelined(self._server, [("DEL", self._key(channel, address))], what="suppression")

    async def are_suppressed(self, addresses: Sequence[tuple[str, str]]) -> list[bool]:
        """Say of each (channel, address) whether it is suppressed, in one round trip."""
        reads: list[Command] = [("EXISTS", self._key(channel, address)) for channel, address in addresses]
        return [reply == 1 for reply in await read_pipelined(self._server, reads, what="suppressions")]

    def _key(self, channel: str, address: str) -> str:
        return self._keys.suppression(channel, blake2b(address.lower().encode(), digest_size=16).hexdigest())
