"""Which server holds what: the URLs of the servers, and in a cluster which of them owns each hash slot."""

from __future__ import annotations

from dataclasses import dataclass

from redis.crc import key_slot

SLOTS = 16_384
NOBODY = -1
"""Owner of a slot that no server has, while a cluster is not whole."""


@dataclass(frozen=True, slots=True)
class Routes:
    """A deployment at one moment. Two are equal if nothing has changed."""

    urls: tuple[str, ...]
    """Of the servers that take writes."""
    owners: tuple[int, ...] | None = None
    """The index in `urls` of each slot's owner, or NOBODY; None: the first one has everything."""

    def url_of(self, key: bytes) -> str | None:
        """Return the URL of the server that has a key or sharded channel, None where nobody has it."""
        if self.owners is None:
            return self.urls[0]
        owner = self.owners[slot_of(key)]
        return None if owner == NOBODY else self.urls[owner]


def slot_of(key: bytes) -> int:
    """Return the hash slot of a key: the CRC16 of what stands in its first pair of braces, else of all of it."""
    slot: int = key_slot(key)
    return slot
