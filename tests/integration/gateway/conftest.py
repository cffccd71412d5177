"""A real gateway worker on a real port, with a real Redis behind it, on the event loop of production."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from tests.integration.gateway.stage import Running, Start, workers


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as in `doorbell serve`."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def start(redis_url: str, key_prefix: str) -> AsyncIterator[Start]:
    """Start a worker with changed settings; all are stopped in the end."""
    async with workers(redis_url, key_prefix) as begin:
        yield begin


@pytest.fixture
async def worker(start: Start) -> Running:
    """A worker with default settings."""
    return await start()
