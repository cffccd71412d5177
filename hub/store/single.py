"""One Redis server, by its address."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff

from hub.store.round_trip import Command, Pool
from hub.store.routes import Routes

MAX_CONNECTIONS = 32
TIMEOUT_S = 5.0


def open_pool(
    url: str, *, max_connections: int = MAX_CONNECTIONS, timeout_s: float = TIMEOUT_S, pool: type[Pool] = Pool
) -> Pool:
    """Return a pool that connects when it is first used. The caller closes it (`aclose`).

    A command that times out or loses its connection is sent once more: everything Doorbell writes is idempotent, so a
    write that had been carried out after all does no harm. At most `max_connections` are open; who wants one more waits
    up to `timeout_s`, as every connect and every reply may take `timeout_s`.
    """
    # A Unix socket has no keep-alive, and the client refuses the option for one.
    keepalive = {} if url.startswith("unix:") else {"socket_keepalive": True}
    return pool.from_url(
        url,
        **keepalive,
        max_connections=max_connections,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=30,
        protocol=2,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=1),
    )


class SingleServer:
    """A `hub.store.server.Server` of one server. `redis` is redis-py's client on the same connections."""

    sharded = False

    def __init__(self, url: str, *, max_connections: int = MAX_CONNECTIONS, timeout_s: float = TIMEOUT_S) -> None:
        self._pool = open_pool(url, max_connections=max_connections, timeout_s=timeout_s)
        self._routes = Routes((url,))
        self.redis = Redis.from_pool(self._pool)

    async def decide(self) -> bool:
        """Return False: with one server, sharding has no use."""
        return self.sharded

    def exchange(self, commands: Sequence[Command]) -> Coroutine[Any, Any, list[Any]]:
        """Send commands; see `Pool.exchange`."""
        return self._pool.exchange(commands)

    async def demoted(self) -> None:
        """Drop the connections: what listens at the address may be another server by now."""
        await self._pool.disconnect()

    async def routes(self) -> Routes:
        """Return the one place to listen at."""
        return self._routes

    async def generation(self) -> str:
        """Return the server's run id."""
        info: dict[str, Any] = await self.redis.info("server")
        return str(info["run_id"])

    async def publish(self, channel: str, message: bytes) -> None:
        """Publish a message."""
        await self.redis.publish(channel, message)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.redis.aclose()
