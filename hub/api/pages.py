"""The web pages: files read once at the start and served from memory, so that no path can lead out of the folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web

from hub.observe import logger

_log = logger(__name__)
MAX_FILES = 500
MAX_FILE_BYTES = 4 * 1_024 * 1_024
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Nothing but our own files; `'self'` covers the WebSocket of the same origin (CSP level 3, section 6.7.2.8)."""
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_TEXT = ("text/", "application/json", "image/svg+xml", "application/manifest+json")


def page_routes(folder: Path, *, only: Collection[str] = ()) -> Iterable[web.RouteDef]:
    """Return a route for each file below `folder`: `index.html` at `/`, `publish.html` at `/publish`, others by name.

    `only` names the files to serve, by their paths below the folder; none: all of them. Hidden files and types that no
    page uses are left out. A folder that is not there has no pages.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix in _TYPES and path.is_file())[:MAX_FILES]
    if not files:
        _log.warning("no_pages", folder=str(folder))
    for path in files:
        if path.name.startswith(".") or path.stat().st_size > MAX_FILE_BYTES:
            continue
        if only and path.relative_to(folder).as_posix() not in only:
            continue
        yield web.get(_address(path.relative_to(folder)), _serving(path.read_bytes(), path.suffix))


def _address(path: Path) -> str:
    if path.suffix != ".html":
        return f"/{path.as_posix()}"
    bare = path.with_suffix("").as_posix()
    return "/" if bare == "index" else f"/{bare}"


def _serving(body: bytes, suffix: str) -> Any:
    kind = _TYPES[suffix]
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    headers = {
        hdrs.CONTENT_TYPE: f"{kind}; charset=utf-8" if kind.startswith(_TEXT) else kind,
        hdrs.ETAG: tag,
        # Kept, and asked about each time: a new version is there at once, an old one costs no transfer.
        hdrs.CACHE_CONTROL: "no-cache",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
    }

    async def serve(request: web.Request) -> web.Response:
        if tag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=304, headers={hdrs.ETAG: tag, hdrs.CACHE_CONTROL: "no-cache"})
        return web.Response(body=body, headers=headers)

    return serve
