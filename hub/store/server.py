"""Redis as the stores see it, however it is deployed: one server, a master behind sentinels, or a cluster."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from hub.store.round_trip import Command
from hub.store.routes import Routes


class Server(Protocol):
    """Where commands go. One for a process, shared by all stores; nothing is connected before the first use."""

    @property
    def sharded(self) -> bool | None:
        """Whether publications go by sharded pub/sub (SPUBLISH). Decided once; None until `decide` has."""
        ...

    async def decide(self) -> bool:
        """Return `sharded`, having asked the servers for their version. Raises redis-py's errors."""
        ...

    def exchange(self, commands: Sequence[Command]) -> Coroutine[Any, Any, list[Any]]:
        """Send commands and return their replies in the order of the commands, error replies among them.

        Commands on keys of one hash tag are carried out in their order. A connection that breaks or stays silent is
        opened again and the commands are sent again, so every command must be one that may run twice. What still fails
        is raised as redis-py's ConnectionError or TimeoutError. Who is cancelled leaves the outcome unknown.
        """
        ...

    async def demoted(self) -> None:
        """Take note that a server says it is read-only: connect again, to whoever leads now."""
        ...

    async def routes(self) -> Routes:
        """Return where to listen for messages, having looked again. Raises redis-py's errors."""
        ...

    async def generation(self) -> str:
        """Name the life of the servers that take the writes: their run ids.

        Another generation means that one was restarted or another one took over: what was not yet on its disk, or not
        yet with its replica, may be gone. Raises redis-py's errors, also while it cannot be told who leads.
        """
        ...

    async def publish(self, channel: str, message: bytes) -> None:
        """Publish a message as the scripts do. Raises redis-py's errors."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...
