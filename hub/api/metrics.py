"""`/metrics`: the sum of all workers where they share a folder, this process alone where they do not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector


def metrics_routes(*, multiprocess_dir: str | None) -> Iterable[web.RouteDef]:
    """Return `/metrics`. `multiprocess_dir` is the folder in PROMETHEUS_MULTIPROC_DIR, None with one process."""

    async def metrics(_: web.Request) -> web.Response:
        # In a thread: with many workers there are many files to read, and sockets must not wait for them.
        body = await asyncio.to_thread(exposition, multiprocess_dir)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return (web.get("/metrics", metrics),)


def exposition(multiprocess_dir: str | None) -> bytes:
    """Return all metrics in the Prometheus text format."""
    if multiprocess_dir is None:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=multiprocess_dir)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
