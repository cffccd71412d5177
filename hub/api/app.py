"""The HTTP applications: everything for `serve`, health and metrics alone for the other roles."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from hub.api.centrifugo import centrifugo_routes
from hub.api.correlation import correlate
from hub.api.guard import secure, tell_problems
from hub.api.health import Health, health_routes
from hub.api.metrics import metrics_routes
from hub.api.routes import Authenticate, routes_of
from hub.service.calls import Operations

MAX_REQUEST_BYTES = 1_048_576
BODY_TIMEOUT_S = 15.0


def build_app(
    *,
    operations: Operations,
    authenticate: Authenticate,
    health: Health,
    documents: Iterable[web.RouteDef] = (),
    pages: Iterable[web.RouteDef] = (),
    extra_routes: Iterable[web.RouteDef] = (),
    metrics_dir: str | None = None,
    with_metrics: bool = True,
    body_timeout_s: float = BODY_TIMEOUT_S,
) -> web.Application:
    """Return the application of `doorbell serve`."""
    app = _application()
    app.add_routes(health_routes(health))
    app.add_routes(routes_of(operations, authenticate=authenticate, body_timeout_s=body_timeout_s))
    app.add_routes(centrifugo_routes(operations, authenticate=authenticate, body_timeout_s=body_timeout_s))
    app.add_routes(documents)
    app.add_routes(extra_routes)
    if with_metrics:
        app.add_routes(metrics_routes(multiprocess_dir=metrics_dir))
    # The pages take every path that is left.
    app.add_routes(pages)
    return app


def build_admin_app(*, health: Health, metrics_dir: str | None = None) -> web.Application:
    """Return the application of `doorbell consume` and `doorbell deliver`: health and metrics only."""
    app = _application()
    app.add_routes(health_routes(health))
    app.add_routes(metrics_routes(multiprocess_dir=metrics_dir))
    return app


def _application() -> web.Application:
    return web.Application(middlewares=[correlate, secure, tell_problems], client_max_size=MAX_REQUEST_BYTES)
