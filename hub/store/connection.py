"""The connection to Redis: how it is opened, one pipelined round trip, and which failures mean "wait and try again"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hub.domain.errors import StoreUnavailable
from hub.observe import STORE_ERRORS
from hub.store.round_trip import Command, Pool, exchange

MAX_COMMANDS_PER_TRIP = 1_000
"""A longer pipeline goes out in pieces, so that neither side has to buffer all of it."""

_WAIT_CODES = re.compile(
    r"(?:(?:ERR )?Error running script.* -)?"  # Redis 6 wraps an error that a script ran into.
    r"(OOM|READONLY|MISCONF|NOREPLICAS|LOADING|MASTERDOWN|BUSY|CLUSTERDOWN|TRYAGAIN|UNBLOCKED) "
)


def open_redis(url: str, *, max_connections: int = 32, timeout_s: float = 5.0) -> Redis:
    """Return a client that connects when it is first used. The caller closes it (`aclose`).

    A command that times out or loses its connection is sent once more: everything Doorbell writes is idempotent, so a
    write that had been carried out after all does no harm. At most `max_connections` are open; who wants one more waits
    up to `timeout_s`, as every connect and every reply may take `timeout_s`.
    """
    # A Unix socket has no keep-alive, and the client refuses the option for one.
    keepalive = {} if url.startswith("unix:") else {"socket_keepalive": True}
    pool = Pool.from_url(
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
    return Redis.from_pool(pool)


async def redis_identity(redis: Redis) -> str:
    """Return the run id of the server: another one means that Redis was restarted or another server took over.

    Raises StoreUnavailable.
    """
    with store_errors("info"):
        info: dict[str, Any] = await redis.info("server")
        return str(info["run_id"])


async def pipelined(redis: Redis, commands: Sequence[Command], *, what: str) -> list[Any]:
    """Send commands in one round trip (one for each thousand) and return their replies, ResponseError among them.

    The commands are no transaction. `what` labels a failure in the metrics. Raises StoreUnavailable where Redis cannot
    be reached or one of the replies says so; then any of the commands may or may not have been carried out.
    """
    replies: list[Any] = []
    for start in range(0, len(commands), MAX_COMMANDS_PER_TRIP):
        with store_errors(what):
            replies += await exchange(redis, commands[start : start + MAX_COMMANDS_PER_TRIP])
    for reply in replies:
        if isinstance(reply, RedisError):
            await _give_up_if_unavailable(redis, reply, what)
    return replies


async def read_pipelined(redis: Redis, commands: Sequence[Command], *, what: str) -> list[Any]:
    """As `pipelined`, but an error reply is raised: it is a bug, or a key that holds something else."""
    replies = await pipelined(redis, commands, what=what)
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise reply
    return replies


@contextmanager
def store_errors(what: str) -> Iterator[None]:
    """Turn a failure that passes by itself into StoreUnavailable, counted under `what`. Bugs pass unchanged."""
    try:
        yield
    except RedisError as error:
        if not means_unavailable(error):
            raise
        STORE_ERRORS.labels(what).inc()
        raise StoreUnavailable(f"{what}: {error}") from error


def means_unavailable(error: RedisError) -> bool:
    """Say whether an error is Redis' present condition (gone, loading, full, read-only) and not ours."""
    if isinstance(error, (RedisConnectionError, RedisTimeoutError)):
        return True
    code = getattr(error, "status_code", None)
    return _WAIT_CODES.match(f"{code} {error}" if code else str(error)) is not None


async def _give_up_if_unavailable(redis: Redis, error: RedisError, what: str) -> None:
    if not means_unavailable(error):
        return
    if isinstance(error, ReadOnlyError):
        # The server has been demoted: connect again, to whoever leads now.
        await redis.connection_pool.disconnect()
    STORE_ERRORS.labels(what).inc()
    raise StoreUnavailable(f"{what}: {error}") from error
