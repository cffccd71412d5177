"""What every role without a public port serves to its operator: health and metrics on `admin_listen`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from hub.api.app import build_admin_app
from hub.api.health import Check, Health
from hub.config_checks import parse_address
from hub.domain.errors import StoreUnavailable
from hub.observe import logger
from hub.roles.listening import cannot_listen
from hub.store.connection import generation_of
from hub.store.server import Server

_log = logger(__name__)


@asynccontextmanager
async def admin_server(listen: str, checks: Mapping[str, Check], *, metrics_dir: str | None) -> AsyncIterator[Health]:
    """Serve health and metrics meanwhile; yield the health, to be drained before the role stops.

    Raises ConfigurationError where the address cannot be listened on.
    """
    health = Health(checks)
    runner = web.AppRunner(build_admin_app(health=health, metrics_dir=metrics_dir), access_log=None)
    await runner.setup()
    try:
        await _listen(runner, listen)
        _log.info("admin_listening", on=runner.addresses[0])
        yield health
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, listen: str) -> None:
    host, port = parse_address(listen)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise cannot_listen(listen, error, key="admin_listen") from error


def redis_check(server: Server) -> Check:
    """Return a check that Redis answers."""
    return partial(_redis, server)


async def _redis(server: Server) -> str | None:
    try:
        await generation_of(server)
    except StoreUnavailable as error:
        return str(error)
    return None
