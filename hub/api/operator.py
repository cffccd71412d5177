"""The operator's page: a shell that shows nothing before it is given an API key or an admin's token.

What it shows comes from the operations `ops.*`, which check who asks. Only the HTML of template previews, which holds
nothing but sample data, is served under a signed path that ends after ten minutes: a frame cannot send credentials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from aiohttp import web

from hub.api.pages import page_routes
from hub.service.operator.texts import PREVIEW_PATH, html_of
from hub.service.signing import Signer
from templates.renderer import Renderer

_FILES = ("ops.html", "js/ops.js", "css/house.css", "css/ops.css", "favicon.svg", "icons.svg")
_PREVIEW_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


def operator_page(folder: Path) -> Iterable[web.RouteDef]:
    """Return the routes of the page and of what it is made of."""
    return page_routes(folder, only=_FILES)


def preview_routes(renderer: Renderer, signer: Signer | None, *, clock: Callable[[], int]) -> Iterable[web.RouteDef]:
    """Return the route of mails' previews; none without a signer. `clock` gives Unix ms."""
    if signer is None:
        return

    async def preview(request: web.Request) -> web.Response:
        html = html_of(request.match_info["token"], renderer=renderer, signer=signer, clock=clock)
        if html is None:
            raise web.HTTPNotFound(text="This preview is over: ask for it again.")
        headers = {
            "Content-Security-Policy": _PREVIEW_POLICY,
            "X-Frame-Options": "SAMEORIGIN",
            "Cache-Control": "no-store",
        }
        return web.Response(text=html, content_type="text/html", headers=headers)

    yield web.get(PREVIEW_PATH + "/{token}", preview)
