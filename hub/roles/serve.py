"""`doorbell serve`: gateway, HTTP API and pages on one port, in as many worker processes as configured."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from hub.observe import logger, mark_dead
from hub.roles.lifetime import Launch
from hub.roles.listening import reserved_port
from hub.roles.metrics_folder import fresh_metrics_dir
from hub.roles.state import redis_of
from hub.roles.worker import run_worker
from hub.settings import Settings
from hub.supervisor import Child, Supervisor

_log = logger(__name__)
_GRACE_BEYOND_DRAIN_S = 10.0


async def serve(settings: Settings, stopping: asyncio.Event, *, launch: Launch) -> int:
    """Serve until `stopping`; then drain and return.

    One worker runs in this process. Several are children on one port (SO_REUSEPORT), started again when they die.
    """
    async with redis_of(settings) as url:
        if settings.workers == 1:
            return await run_worker(settings, stopping, redis_url=url, metrics_dir=launch.metrics_dir)
        with reserved_port(settings.listen) as listen:
            return await _supervise(settings, stopping, launch=launch, listen=listen, redis_url=url)


async def _supervise(
    settings: Settings, stopping: asyncio.Event, *, launch: Launch, listen: str, redis_url: str
) -> int:
    metrics_dir = launch.metrics_dir or str(fresh_metrics_dir(Path(settings.data_dir)))
    environment = {
        **launch.environment,
        "DOORBELL_LISTEN": listen,
        "DOORBELL_WORKERS": "1",
        "DOORBELL_REDIS_URL": redis_url,
        "PROMETHEUS_MULTIPROC_DIR": metrics_dir,
    }
    children = [
        Child(
            f"worker-{number}",
            (*launch.config_arguments, "serve", "--supervised"),
            environment,
            grace_s=settings.gateway.drain_s + _GRACE_BEYOND_DRAIN_S,
        )
        for number in range(settings.workers)
    ]
    supervisor = Supervisor(children, on_end=partial(mark_dead, metrics_dir=metrics_dir))
    _log.info("serving", listen=listen, workers=settings.workers)
    running = asyncio.create_task(supervisor.run())
    stop = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    supervisor.stop()
    return await running
