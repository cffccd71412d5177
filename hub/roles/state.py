"""Which Redis a role uses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hub.domain.errors import ConfigurationError, Mistake
from hub.settings import Settings
from hub.store.embedded import embedded_redis


@asynccontextmanager
async def redis_of(settings: Settings, *, must_exist: bool = False) -> AsyncIterator[str]:
    """Yield the URL of the Redis to use: the configured one, else a private server that runs meanwhile.

    `must_exist` is for those who only look: raises ConfigurationError where the private server has no data yet.
    """
    if settings.redis_url:
        yield settings.redis_url
        return
    if must_exist and not (Path(settings.data_dir) / "appendonlydir").exists():
        advice = "no Redis has run here; set redis_url, or run this where Doorbell's data_dir is"
        raise ConfigurationError([Mistake("settings", "data_dir", settings.data_dir, advice)])
    async with embedded_redis(Path(settings.data_dir)) as url:
        yield url
