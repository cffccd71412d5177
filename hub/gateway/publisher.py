"""What clients publish, sent to the store in the order in which it came.

One batch is on its way at a time, and what comes meanwhile makes the next: so the publications of one client cannot
overtake each other, and a busy worker needs few round trips.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from hub.domain.decisions import Publication
from hub.domain.errors import StoreUnavailable
from hub.observe import logger

_BATCH = 500
_TIMEOUT_S = 10.0
_log = logger(__name__)


class Store(Protocol):
    """The streams: `hub.store.topics.Topics`."""

    async def publish_many(self, publications: Sequence[Publication]) -> object:
        """Publish in order, each once for its id. Raises StoreUnavailable."""
        ...


class Publisher:
    """Publishes for the clients of a worker. `run` does the work."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Bounded by the connections, each with a bounded number of commands that are being worked on.
        self._waiting: list[tuple[Publication, asyncio.Future[None]]] = []
        self._wanted = asyncio.Event()

    def publish(self, publication: Publication) -> asyncio.Future[None]:
        """Publish in turn. The future is done when it is published, or has the error that kept it from that."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((publication, done))
        self._wanted.set()
        return done

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wanted.wait()
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            if not self._waiting:
                self._wanted.clear()
            await self._publish(batch)

    async def _publish(self, batch: Sequence[tuple[Publication, asyncio.Future[None]]]) -> None:
        problem: Exception | None = None
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._store.publish_many([publication for publication, _ in batch])
        except (StoreUnavailable, TimeoutError) as error:
            problem = error
        except Exception as error:  # noqa: BLE001 - who published is told, and the others' publications go on
            _log.exception("publications_failed", count=len(batch))
            problem = error
        for _, done in batch:
            if done.done():
                continue
            if problem is None:
                done.set_result(None)
            else:
                done.set_exception(problem)
