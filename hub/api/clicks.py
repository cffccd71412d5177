"""`/c/<token>`: a link of a mail or a push, which leads on to the shop."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from aiohttp import hdrs, web

from hub.domain.robots import is_robot
from hub.observe import CLICKS
from hub.service.feedback.clicks import CLICK_PATH, ClickLinks, Clicks, Noted

_HEADERS = {
    hdrs.CACHE_CONTROL: "no-store",
    # Where it leads need not know who followed it.
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_UNKNOWN = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Link not found</title>
<h1>This link leads nowhere</h1>
<p>It may have been cut off on its way to you. Please open the message again, or go to the shop directly.</p>
</html>
"""
_PURPOSES = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


def click_routes(links: ClickLinks, clicks: Clicks) -> Iterable[web.RouteDef]:
    """Return the route, for GET and HEAD. HEAD, previews and prefetching are led on as well, but are no clicks."""

    async def follow(request: web.Request) -> web.Response:
        followed = links.read(request.match_info["token"])
        if followed is None:
            CLICKS.labels("", "unknown").inc()
            headers = {**_HEADERS, "Content-Security-Policy": "default-src 'none'"}
            return web.Response(status=HTTPStatus.NOT_FOUND, text=_UNKNOWN, content_type="text/html", headers=headers)
        noted = Noted.ROBOT if _nobody(request) else await clicks.note(followed)
        CLICKS.labels(followed.channel, noted.value).inc()
        return web.Response(status=HTTPStatus.FOUND, headers={**_HEADERS, hdrs.LOCATION: followed.target})

    yield web.get(CLICK_PATH + "/{token}", follow)


def _nobody(request: web.Request) -> bool:
    purpose = " ".join(request.headers.get(name, "") for name in _PURPOSES)
    return request.method == hdrs.METH_HEAD or is_robot(request.headers.get(hdrs.USER_AGENT, ""), purpose)
