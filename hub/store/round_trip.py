"""Round trips to Redis over redis-py's connections: many commands in one, and those of many tasks together.

redis-py's own pipeline spends most of its time in a coroutine for each reply: 9-12 µs of client CPU for each command,
and the store sends six for each event. Here hiredis packs the commands and parses the replies in plain loops, at a
fifth of that. A system call costs more still, so what several tasks ask for at the same time travels together.
Connecting, authentication, TLS, the bound on connections and retries stay redis-py's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import hiredis
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.asyncio import BlockingConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

_WARM_MAX = 8
"""Connections kept ready to be lent; the others of a pool are for who asks redis-py itself."""
_ALONE_BYTES = 32_768
"""What is larger travels alone and at once: while Redis works on it, the next trip is being packed."""
_ALONE_MAX = 2
"""Trips that need no company: a lone task would pay for the gathering with four turns of the event loop."""
_GROUP_BYTES = 262_144

Command: TypeAlias = tuple[str | bytes | int | float, ...]
"""The words of a Redis command and its arguments, each for itself."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One task's part of a trip."""

    packed: bytes
    count: int
    answer: asyncio.Future[list[Any]]


class Pool(BlockingConnectionPool):
    """redis-py's pool, which also lends connections without its locks and checks: they cost more than a round trip.

    A connection that is lent stays checked out. What comes back whole is lent again, the last one first.
    """

    insists = True
    """Whether a server that has stayed silent is asked once more, rather than somebody else."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._warm: list[Any] = []
        self._asked: deque[_Asked] = deque()
        self._traveller: asyncio.Task[None] | None = None
        self._alone = 0

    async def give_up(self) -> None:
        """Close all connections at once, whatever has not been sent yet.

        Who waits for a connection or for replies may go on waiting, until it is cancelled.
        """
        if self._traveller is not None:
            self._traveller.cancel()
        while self._asked:
            _fail([self._asked.popleft()], RedisConnectionError("the server has been given up"))
        for connection in [*self._available_connections, *self._in_use_connections]:
            # Saying goodbye in good order would wait for a server that does not read any more.
            await connection.disconnect(nowait=True)

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands and return their replies in order, error replies as exceptions among them.

        A connection that breaks or stays silent for the socket timeout is opened again and the commands are sent again,
        as often as the retry policy says; then redis-py's ConnectionError or TimeoutError is raised. Who is cancelled
        leaves the outcome unknown, as with any write.
        """
        # The stub of hiredis has a command's words wrong: it takes a tuple of any length.
        packed = b"".join([hiredis.pack_command(command) for command in commands])  # type: ignore[arg-type]
        if len(packed) >= _ALONE_BYTES:
            return await self.trip(packed, len(commands))
        return await self.trip_together(packed, len(commands))

    async def trip(self, packed: bytes, count: int) -> list[Any]:
        """Send packed commands and return their `count` replies."""
        heed = _Cancellations()
        try:
            replies = await self._trip(packed, count)
        except RedisError:
            heed()
            raise
        heed()
        return replies

    async def _trip(self, packed: bytes, count: int) -> list[Any]:
        connection = await self._lend()
        try:
            return await _send_and_read(connection, packed, count)
        except (RedisConnectionError, RedisTimeoutError) as error:
            if isinstance(error, RedisTimeoutError) and not self.insists:
                raise
            # It may have been idle while Redis was restarted.
            replies: list[Any] = await connection.retry.call_with_retry(
                lambda: _reconnect_and_send(connection, packed, count), lambda _: connection.disconnect(nowait=True)
            )
            return replies
        finally:
            await self._take_back(connection)

    async def trip_together(self, packed: bytes, count: int) -> list[Any]:
        """As `trip`. Who finds other trips under way travels together with all who ask meanwhile."""
        if self._traveller is None and self._alone < _ALONE_MAX:
            self._alone += 1
            try:
                return await self.trip(packed, count)
            finally:
                self._alone -= 1
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(packed, count, answer))
        if self._traveller is None:
            self._traveller = asyncio.create_task(self._travel(), name="redis-trips")
        return await answer

    async def _travel(self) -> None:
        try:
            while self._asked:
                await self._group_trip(self._next_group())
        finally:
            self._traveller = None

    def _next_group(self) -> list[_Asked]:
        group = [self._asked.popleft()]
        size = len(group[0].packed)
        while self._asked and size + len(self._asked[0].packed) <= _GROUP_BYTES:
            group.append(self._asked.popleft())
            size += len(group[-1].packed)
        return group

    async def _group_trip(self, group: Sequence[_Asked]) -> None:
        try:
            packed = b"".join([asked.packed for asked in group])
            replies = await self.trip(packed, sum(asked.count for asked in group))
        except Exception as error:  # noqa: BLE001 - it is raised again, by each of the tasks
            _fail(group, error)
            return
        except asyncio.CancelledError:
            _fail(group, RedisConnectionError("the client is being closed"))
            raise
        start = 0
        for asked in group:
            end = start + asked.count
            if not asked.answer.done():
                asked.answer.set_result(replies[start:end])
            start = end

    async def _lend(self) -> Any:
        """Return a connection that is open, as far as is known."""
        while self._warm:
            connection = self._warm.pop()
            if connection.is_connected:
                return connection
            await self.release(connection)
        return await self.get_connection()  # type: ignore[no-untyped-call]

    async def _take_back(self, connection: Any) -> None:
        """Take a connection that was lent. All replies to what was sent on it have been read, or it is closed."""
        if connection.is_connected and len(self._warm) < _WARM_MAX:
            self._warm.append(connection)
        else:
            await self.release(connection)


class _Cancellations:
    """Whether the running task has been cancelled since this was made.

    redis-py sends through `asyncio.wait_for` while it connects, and in Python 3.11 that loses a cancellation that comes
    in the very moment in which it is done (python/cpython issue 86296). Whoever waits for the task would wait for ever.
    """

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._before = self._task.cancelling() if self._task is not None else 0

    def __call__(self) -> None:
        """Raise the CancelledError that got lost, if there is one."""
        if self._task is not None and self._task.cancelling() > self._before:
            raise asyncio.CancelledError


def _fail(group: Sequence[_Asked], error: Exception) -> None:
    for asked in group:
        if not asked.answer.done():
            asked.answer.set_exception(error)


async def _reconnect_and_send(connection: Any, packed: bytes, count: int) -> list[Any]:
    await connection.connect()
    return await _send_and_read(connection, packed, count)


async def _send_and_read(connection: Any, packed: bytes, count: int) -> list[Any]:
    try:
        # What is not sent at once waits in the transport's buffer, no more than one trip's worth: no need to drain it.
        connection._writer.write(packed)  # noqa: SLF001 - redis-py has no way to write without its checks
        return await _replies(connection, count)
    except BaseException as error:
        # Nobody else may read what is still to come.
        await connection.disconnect(nowait=True)
        if isinstance(error, TimeoutError):
            raise RedisTimeoutError("Redis did not answer in time") from error
        if isinstance(error, OSError):
            raise RedisConnectionError(f"the connection to Redis broke: {error}") from error
        raise


async def _replies(connection: Any, count: int) -> list[Any]:
    # redis-py has no public way to take more than one reply at a time from what has been received.
    parser = connection._parser  # noqa: SLF001
    next_reply = parser._reader.gets  # noqa: SLF001
    replies: list[Any] = []
    async with asyncio.timeout(connection.socket_timeout):
        while len(replies) < count:
            reply = next_reply()
            if reply is NOT_ENOUGH_DATA:
                await parser.read_from_socket()
            elif isinstance(reply, RedisConnectionError):
                raise reply
            else:
                replies.append(reply)
    return replies
