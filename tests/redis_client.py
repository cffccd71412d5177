"""redis-py's own clients, for what a test wants to know of Redis that the store has no words for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Any]:
    """Yield a client of the deployment that `redis_url` names."""
    async with Redis.from_url(url) as client:
        yield client
