"""Pipelined round trips to Redis, and which failures mean "wait and try again"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hub.domain.errors import StoreUnavailable
from hub.observe import STORE_ERRORS
from hub.store.round_trip import Command
from hub.store.server import Server

MAX_COMMANDS_PER_TRIP = 1_000
"""A longer pipeline goes out in pieces, so that neither side has to buffer all of it."""

_WAIT_CODES = re.compile(
    r"(?:(?:ERR )?Error running script.* -)?"  # Redis 6 wraps an error that a script ran into.
    r"(OOM|READONLY|MISCONF|NOREPLICAS|LOADING|MASTERDOWN|BUSY|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|UNBLOCKED) "
)


async def generation_of(server: Server) -> str:
    """Return which life of Redis takes the writes: another one means that what was written last may be gone.

    Raises StoreUnavailable.
    """
    with store_errors("info"):
        return await server.generation()


async def pipelined(server: Server, commands: Sequence[Command], *, what: str) -> list[Any]:
    """Send commands in one round trip (one for each thousand) and return their replies, ResponseError among them.

    The commands are no transaction. `what` labels a failure in the metrics. Raises StoreUnavailable where Redis cannot
    be reached or one of the replies says so; then any of the commands may or may not have been carried out.
    """
    replies: list[Any] = []
    for start in range(0, len(commands), MAX_COMMANDS_PER_TRIP):
        with store_errors(what):
            replies += await server.exchange(commands[start : start + MAX_COMMANDS_PER_TRIP])
    for reply in replies:
        if isinstance(reply, RedisError):
            await _give_up_if_unavailable(server, reply, what)
    return replies


async def read_pipelined(server: Server, commands: Sequence[Command], *, what: str) -> list[Any]:
    """As `pipelined`, but an error reply is raised: it is a bug, or a key that holds something else."""
    replies = await pipelined(server, commands, what=what)
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
        told = "what answers there is no Redis" if isinstance(error, InvalidResponse) else str(error)
        raise StoreUnavailable(f"{what}: {told}") from error


def means_unavailable(error: RedisError) -> bool:
    """Say whether an error is Redis' present condition (gone, loading, full, read-only) and not ours."""
    if isinstance(error, (RedisConnectionError, RedisTimeoutError, InvalidResponse)):
        return True
    code = getattr(error, "status_code", None)
    return _WAIT_CODES.match(f"{code} {error}" if code else str(error)) is not None


async def _give_up_if_unavailable(server: Server, error: RedisError, what: str) -> None:
    if not means_unavailable(error):
        return
    if isinstance(error, ReadOnlyError):
        await server.demoted()
    STORE_ERRORS.labels(what).inc()
    raise StoreUnavailable(f"{what}: {error}") from error
