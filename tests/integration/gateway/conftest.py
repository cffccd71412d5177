"""A real gateway worker on a real port, with a real Redis behind it, on the event loop of production."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from tests.integration.gateway.dialects import DIALECTS, Dialect
from tests.integration.gateway.stage import Running, Start, workers


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as in `doorbell serve`."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """What the test's clients speak: JSON, or each in turn where a module asks for `in_both_dialects`."""
    return DIALECTS[getattr(request, "param", "json")]


@pytest.fixture
async def start(redis_url: str, key_prefix: str, dialect: Dialect) -> AsyncIterator[Start]:
    """Start a worker with changed settings; all are stopped in the end."""
    async with workers(redis_url, key_prefix, dialect) as begin:
        yield begin


@pytest.fixture
async def worker(start: Start) -> Running:
    """A worker with default settings."""
    return await start()
