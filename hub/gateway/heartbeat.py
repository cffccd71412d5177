"""A worker's sign of life in Redis, with what it has to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hub.domain.errors import StoreUnavailable
from hub.gateway.ports import Register
from hub.observe import logger
from hub.store.workers import BEAT_S, WorkerFacts

_TIMEOUT_S = 3.0
_log = logger(__name__)


class Heartbeat:
    """Says every few seconds that this worker is alive. `run` does the work."""

    def __init__(self, register: Register, facts: Callable[[], WorkerFacts]) -> None:
        self._register = register
        self._facts = facts

    async def run(self) -> None:
        """Work until cancelled; then say that the worker ends."""
        try:
            while True:
                try:
                    async with asyncio.timeout(_TIMEOUT_S):
                        await self._register.beat(self._facts())
                except (StoreUnavailable, TimeoutError) as error:
                    _missed(error)
                await asyncio.sleep(BEAT_S)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """Take the worker off the register. Where that fails it is forgotten after its silence."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._register.leave(self._facts().uid)
        except (StoreUnavailable, TimeoutError) as error:
            _missed(error)


def _missed(error: Exception) -> None:
    _log.info("heartbeat_missed", error=str(error) or "no answer in time")
