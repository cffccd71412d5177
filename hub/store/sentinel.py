"""A master that sentinels watch: whoever they say leads gets the commands.

Every connection is made to the master of that moment, and refused where that server says that it is none. A second
task compares now and then, for a master that has been replaced may go on talking to those who are connected.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import Connection, SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from hub.observe import logger
from hub.store.address import RedisAddress
from hub.store.cluster_view import fields
from hub.store.round_trip import Command, Pool
from hub.store.routes import Routes
from hub.store.single import MAX_CONNECTIONS, TIMEOUT_S, open_pool

_SENTINEL_TIMEOUT_S = 1.0
_COMPARE_S = 2.0
_log = logger(__name__)


class Sentinels:
    """The sentinels of one master."""

    def __init__(self, address: RedisAddress) -> None:
        self._name = address.master
        self._clients = [
            Redis.from_url(
                address.sentinel_url(host, port),
                socket_timeout=_SENTINEL_TIMEOUT_S,
                socket_connect_timeout=_SENTINEL_TIMEOUT_S,
                decode_responses=True,
                protocol=2,
            )
            for host, port in address.hosts
        ]

    async def master(self) -> tuple[str, int]:
        """Return where the master is: of the sentinels that answer, those who know of the last failover are right.

        Raises redis-py's ConnectionError where none of them knows.
        """
        answers = await asyncio.gather(*(self._ask(client) for client in self._clients), return_exceptions=True)
        known = [answer for answer in answers if not isinstance(answer, BaseException)]
        if not known:
            reasons = "; ".join(sorted({str(answer) or type(answer).__name__ for answer in answers}))
            raise RedisConnectionError(f"no sentinel knows the master {self._name!r}: {reasons}")
        _, host, port = max(known)
        return host, port

    async def _ask(self, client: Redis) -> tuple[int, str, int]:
        async with asyncio.timeout(_SENTINEL_TIMEOUT_S):
            state = await client.sentinel_master(self._name, return_responses=True)
        if not isinstance(state, dict):
            raise RedisConnectionError("the sentinel does not know the master")
        return int(state["config-epoch"]), str(state["ip"]), int(state["port"])

    async def aclose(self) -> None:
        """Close the connections to them."""
        for client in self._clients:
            await client.aclose()


class _Led:
    """A connection to whoever leads when it is made. The base class is one of redis-py's connections."""

    def __init__(self, *, leader: Callable[[], Awaitable[tuple[str, int]]], **options: Any) -> None:
        super().__init__(**options)
        self._leader = leader

    async def _connect(self) -> None:
        self.host, self.port = await self._leader()
        await super()._connect()  # type: ignore[misc]

    async def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's
        """Greet the server, and leave if it is no master: then the failover is not over."""
        await super().on_connect_check_health(check_health=check_health)  # type: ignore[misc]
        await self.send_command("ROLE")  # type: ignore[attr-defined]
        role, *_ = await self.read_response()  # type: ignore[attr-defined]
        if role != b"master":
            raise RedisConnectionError("the server that the sentinels name is no master (yet)")


class _LedConnection(_Led, Connection):
    pass


class _LedTlsConnection(_Led, SSLConnection):
    pass


class SentinelServer:
    """A `hub.store.server.Server` of whoever leads."""

    sharded = False

    def __init__(
        self, address: RedisAddress, *, max_connections: int = MAX_CONNECTIONS, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._address = address
        self._sentinels = Sentinels(address)
        # The host is filled in anew for each connection.
        url = address.server_url(*address.hosts[0])
        self._pool: Pool = open_pool(url, max_connections=max_connections, timeout_s=timeout_s)
        self._pool.connection_class = _LedTlsConnection if address.tls else _LedConnection
        self._pool.connection_kwargs["leader"] = self._follow
        self._leader: tuple[str, int] | None = None
        self._watch: asyncio.Task[None] | None = None

    async def decide(self) -> bool:
        """Return False: with one master, sharding has no use."""
        return self.sharded

    def exchange(self, commands: Sequence[Command]) -> Coroutine[Any, Any, list[Any]]:
        """Send commands to the master; see `Pool.exchange`."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._compare(), name="redis-sentinel-watch")
        return self._pool.exchange(commands)

    async def demoted(self) -> None:
        """Drop the connections: the next ones are made to the new master."""
        await self._pool.disconnect()

    async def routes(self) -> Routes:
        """Return the master as the place to listen at."""
        return Routes((self._address.server_url(*await self._follow()),))

    async def generation(self) -> str:
        """Return the run id of the server that the sentinels say leads, if it says so as well."""
        await self._follow()
        server, replication = await self._pool.exchange([("INFO", "server"), ("INFO", "replication")])
        for reply in (server, replication):
            if isinstance(reply, RedisError):
                raise reply
        if fields(replication)["role"] != "master":
            await self.demoted()
            raise RedisConnectionError("the master has been demoted")
        return fields(server)["run_id"]

    async def publish(self, channel: str, message: bytes) -> None:
        """Publish a message."""
        (reply,) = await self.exchange([("PUBLISH", channel, message)])
        if isinstance(reply, RedisError):
            raise reply

    async def _follow(self) -> tuple[str, int]:
        """Return where the master is; drop the connections to another one."""
        leader = await self._sentinels.master()
        before, self._leader = self._leader, leader
        if before not in {None, leader}:
            _log.warning("redis_master_changed", before=before, now=leader)
            await self._pool.disconnect()
        return leader

    async def _compare(self) -> None:
        while True:
            await asyncio.sleep(_COMPARE_S)
            # Without an answer there is nothing to compare with: who is connected stays so.
            with contextlib.suppress(RedisError):
                await self._follow()

    async def aclose(self) -> None:
        """Close all connections."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await self._pool.aclose()
        await self._sentinels.aclose()
