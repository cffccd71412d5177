import aiohttp

from tests.integration.gateway.stage import Running, until


async def test_everything_else_goes_to_the_http_server(worker: Running) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}") as http:
        for _ in range(3):
            async with http.get("/hello") as response:
                assert await response.text() == "hello"


async def test_an_upgrade_on_a_kept_alive_connection_works(worker: Running) -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}", connector=connector) as http:
        async with http.get("/hello") as response:
            await response.read()
        async with http.ws_connect("/connection/websocket") as socket:
            await socket.send_json({"id": 1, "connect": {"token": "ann"}})
            assert "inbox:ann" in (await socket.receive_json())["connect"]["subs"]
            await worker.publish("inbox:ann", 1)
            assert (await socket.receive_json())["push"]["pub"]["data"] == 1
        async with http.get("/hello") as response:
            assert response.status == 200
    await until(lambda: worker.gateway.connections == 0)


async def test_a_refused_upgrade_on_a_kept_alive_connection_says_why(worker: Running) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}") as http:
        async with http.get("/hello") as response:
            await response.read()
        async with http.get("/connection/websocket") as response:
            assert response.status == 426


async def test_a_request_with_a_body_is_handed_over_whole(worker: Running) -> None:
    url = f"http://127.0.0.1:{worker.port}/hello"
    async with aiohttp.ClientSession() as http, http.post(url, data=b"x" * 100_000) as response:
        assert response.status == 405
