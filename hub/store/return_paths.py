"""Return paths: whom a mail went to whose bounces come back to an address of its own, for ten days."""

from __future__ import annotations

import msgspec

from hub.domain.ids import NotificationId, UserId
from hub.store.connection import pipelined, read_pipelined
from hub.store.keys import Keys
from hub.store.round_trip import Command
from hub.store.server import Server

KEPT_S = 10 * 86_400
"""Mail servers give up after five days; some tell it late."""


class Mailed(msgspec.Struct, frozen=True, array_like=True):
    """Whom a mail went to. `digest` stands for the address (`hub.store.suppressions.address_digest`)."""

    user: UserId
    digest: str


class ReturnPaths:
    """The mails on their way. Every method raises StoreUnavailable."""

    def __init__(self, server: Server, keys: Keys) -> None:
        self._server = server
        self._keys = keys

    async def note(self, notification: NotificationId, mailed: Mailed) -> None:
        """Note whom the mail of a notification goes to."""
        write: Command = ("SET", self._keys.return_path(notification), msgspec.json.encode(mailed), "EX", KEPT_S)
        await pipelined(self._server, [write], what="return path")

    async def read(self, notification: NotificationId) -> Mailed | None:
        """Return whom the mail of a notification went to, None where nobody knows (any more)."""
        read: Command = ("GET", self._keys.return_path(notification))
        (value,) = await read_pipelined(self._server, [read], what="return path")
        return msgspec.json.decode(value, type=Mailed) if value else None
