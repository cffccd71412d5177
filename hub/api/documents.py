"""Where the documents that describe the API are served, and what each kind of problem means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from hub.api.problems import TYPE_PREFIX
from hub.service.failures import FAILURES, Failure, OperationFailed


def document_routes(documents: Mapping[str, Mapping[str, Any]]) -> Iterable[web.RouteDef]:
    """Return a route for each document by its path, encoded once, and `/problems/<kind>`."""
    for path, document in documents.items():
        yield web.get(path, _serving(msgspec.json.encode(document)))
    yield web.get(f"{TYPE_PREFIX}{{kind}}", _problem)


def _serving(body: bytes) -> Any:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json", headers={"Access-Control-Allow-Origin": "*"})

    return serve


async def _problem(request: web.Request) -> web.Response:
    kind = request.match_info["kind"]
    if kind not in set(Failure):
        raise OperationFailed(Failure.NOT_FOUND, "there is no such kind of problem")
    body = msgspec.json.encode({"type": request.path, **msgspec.structs.asdict(FAILURES[Failure(kind)])})
    return web.Response(body=body, content_type="application/json")
