"""An HTTP server on loopback, on which stand-ins of providers listen."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from aiohttp import web

HOST = "127.0.0.1"


class LoopbackServer:
    """What a stand-in is made of: `async with` runs its `application`, and `url` is where."""

    def __init__(self, *, port: int = 0) -> None:
        """Take `port`; 0 picks one. One that is given may be held for us by who gave it."""
        self._port = port
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, HOST, self._port, reuse_port=bool(self._port)).start()
        self._runner, self._port = runner, runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._port}"

    def application(self) -> web.Application:
        """Return the server of it alone."""
        app = web.Application()
        app.add_routes(self.routes())
        return app

    def routes(self) -> Iterable[web.RouteDef]:
        """Return what it serves. Those of different stand-ins get along on one server."""
        raise NotImplementedError
