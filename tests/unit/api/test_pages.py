from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from hub.api.app import build_app
from hub.api.demo import demo_routes
from hub.api.documents import document_routes
from hub.api.health import Health
from hub.api.pages import page_routes
from hub.domain.permission import Role
from hub.service.calls import Operations
from hub.service.identity.authentication import Authenticator
from tests.unit.api.api_fakes import TOKEN, Client
from tests.unit.api.conftest import Start


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pages = tmp_path / "pages"
    (pages / "js").mkdir(parents=True)
    (pages / "index.html").write_text("<title>Doorbell</title>")
    (pages / "publish.html").write_text("<title>Publish</title>")
    (pages / "js" / "app.js").write_text("1")
    (pages / ".hidden.html").write_text("hidden")
    (pages / "notes.md").write_text("notes")
    (tmp_path / "secret.txt").write_text("secret")
    return pages


@pytest.fixture
async def outbox() -> AsyncIterator[str]:
    """A stand-in's listing of one mail."""

    async def listing(request: web.Request) -> web.Response:
        return web.json_response({"messages": [{"id": "1"}], "to": request.query.get("to")})

    async def html(_: web.Request) -> web.Response:
        return web.Response(text="<script>alert(1)</script>", content_type="text/html")

    app = web.Application()

    async def pushes(_: web.Request) -> web.Response:
        return web.json_response({"pushes": []})

    app.add_routes([web.get("/outbox", listing), web.get("/outbox/1/html", html), web.get("/pushes", pushes)])
    async with TestServer(app) as server:
        yield str(server.make_url("/outbox"))


@pytest.fixture
async def client(
    start: Start, folder: Path, outbox: str, operations: Operations, authenticator: Authenticator
) -> Client:
    app = build_app(
        operations=operations,
        authenticate=authenticator.authenticate,
        health=Health({}),
        documents=document_routes({"/openapi.json": {"openapi": "3.1.0"}}),
        extra_routes=demo_routes(tokens=TOKEN, outbox_url=outbox),
        pages=page_routes(folder),
    )
    return await start(app)


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("/", "text/html", "<title>Doorbell</title>"),
        ("/publish", "text/html", "<title>Publish</title>"),
        ("/js/app.js", "text/javascript", "1"),
    ],
)
async def test_a_page_is_served_under_its_name(client: Client, path: str, kind: str, text: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.content_type, await answer.text()) == (200, kind, text)


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/%2e%2e/secret.txt", "/js/..%2f..%2fsecret.txt", "/.hidden", "/notes.md", "/js", "/js/"]
)
async def test_nothing_else_is_served(client: Client, path: str) -> None:
    answer = await client.get(URL(path, encoded=True))
    assert answer.status == 404


async def test_a_page_may_load_only_what_is_ours(client: Client) -> None:
    policy = (await client.get("/")).headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


async def test_a_page_that_has_not_changed_is_not_sent_again(client: Client) -> None:
    tag = (await client.get("/")).headers["ETag"]
    again = await client.get("/", headers={"If-None-Match": tag})
    assert (again.status, await again.read()) == (304, b"")


async def test_documents_can_be_read_from_anywhere(client: Client) -> None:
    answer = await client.get("/openapi.json")
    assert (await answer.json(), answer.headers["Access-Control-Allow-Origin"]) == ({"openapi": "3.1.0"}, "*")


async def test_a_problem_type_can_be_looked_up(client: Client) -> None:
    answer = await client.get("/problems/key-reused")
    assert (await answer.json())["status"] == 422
    assert (await client.get("/problems/nonsense")).status == 404


async def test_a_demo_shopper_signs_in(client: Client, authenticator: Authenticator) -> None:
    answer = await client.post("/demo/session", json={"user": "ana"})
    who = authenticator.authenticate((await answer.json())["token"])
    assert (who.user, who.role) == ("ana", Role.SHOPPER)


async def test_the_demo_shop_signs_in(client: Client, authenticator: Authenticator) -> None:
    answer = await client.post("/demo/session", json={"role": "service"})
    assert authenticator.authenticate((await answer.json())["token"]).role is Role.SERVICE


@pytest.mark.parametrize(
    "wish", [{}, {"user": ""}, {"user": "a b"}, {"user": "service:x"}, {"user": "a", "role": "admin"}]
)
async def test_nobody_else_signs_in(client: Client, wish: dict[str, str]) -> None:
    assert (await client.post("/demo/session", json=wish)).status == 400


async def test_the_outbox_is_relayed(client: Client) -> None:
    answer = await client.get("/demo/outbox?to=ana@doorbell.example")
    assert await answer.json() == {"messages": [{"id": "1"}], "to": "ana@doorbell.example"}


async def test_what_stands_beside_the_outbox_is_relayed_too(client: Client) -> None:
    assert await (await client.get("/demo/pushes")).json() == {"pushes": []}
    assert (await client.get("/demo/texts")).status == 404
    assert (await client.get("/demo/secrets")).status == 404


async def test_a_mail_is_shown_where_nothing_of_it_can_run(client: Client) -> None:
    answer = await client.get("/demo/outbox/1/html")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert (await client.get("/demo/outbox/2/html")).status == 404


async def test_a_relay_that_is_away_is_told(
    start: Start, operations: Operations, authenticator: Authenticator, unused_tcp_port: int
) -> None:
    routes = demo_routes(tokens=TOKEN, outbox_url=f"http://127.0.0.1:{unused_tcp_port}/outbox")
    app = build_app(
        operations=operations, authenticate=authenticator.authenticate, health=Health({}), extra_routes=routes
    )
    assert (await (await start(app)).get("/demo/outbox")).status == 503


def test_a_folder_that_is_not_there_has_no_pages(tmp_path: Path) -> None:
    assert list(page_routes(tmp_path / "absent")) == []
