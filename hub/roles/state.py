"""Which Redis a role uses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hub.settings import Settings
from hub.store.embedded import embedded_redis


@asynccontextmanager
async def redis_of(settings: Settings) -> AsyncIterator[str]:
    """Yield the URL of the Redis to use: the configured one, else a private server that runs meanwhile."""
    if settings.redis_url:
        yield settings.redis_url
        return
    async with embedded_redis(Path(settings.data_dir)) as url:
        yield url
