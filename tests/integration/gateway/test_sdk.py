"""The official Python SDK against a real worker, with a network between them that can be cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from centrifuge import Client, ClientEventHandler, SubscriptionEventHandler

from tests.integration.gateway.stage import Running, Start, until


class Network:
    """A TCP proxy. `cut` drops every connection and refuses new ones until `mend`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._up = True
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Network"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        server.close()
        self.cut()

    def cut(self) -> None:
        self._up = False
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        self._up = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._up:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        self._writers -= {writer, far_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.transport.abort()


class App(ClientEventHandler, SubscriptionEventHandler):  # type: ignore[misc]
    """What an app is told by the SDK."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Any]] = {}
        self.recovered: list[tuple[str, bool]] = []
        self.disconnected: list[int] = []
        self.connecting: list[int] = []

    async def on_publication(self, ctx: Any) -> None:
        self.seen.setdefault(getattr(ctx, "channel", "order"), []).append(ctx.pub.data)

    async def on_subscribed(self, ctx: Any) -> None:
        if ctx.was_recovering:
            self.recovered.append((ctx.channel, ctx.recovered))

    async def on_connecting(self, ctx: Any) -> None:
        self.connecting.append(ctx.code)

    async def on_disconnected(self, ctx: Any) -> None:
        self.disconnected.append(ctx.code)

    async def sees(self, channel: str, expected: list[Any]) -> None:
        await until(lambda: self.seen.get(channel) == expected)


def _client(app: App, port: int, **options: Any) -> Client:
    url = f"ws://127.0.0.1:{port}/connection/websocket"
    return Client(url, events=app, proxy=None, min_reconnect_delay=0.05, max_reconnect_delay=0.2, **options)


async def test_the_sdk_connects_subscribes_loses_the_network_and_recovers(worker: Running) -> None:
    app = App()
    async with Network(worker.port).running() as network:
        client = _client(app, network.port, token="ann")
        await client.connect()
        subscription = client.new_subscription("order:A-ann", events=app)
        await subscription.subscribe()
        await subscription.ready()
        await worker.publish("order:A-ann", 1)
        await worker.publish("inbox:ann", "a")
        await app.sees("inbox:ann", ["a"])
        network.cut()
        await worker.publish("order:A-ann", 2)
        await worker.publish("inbox:ann", "b")
        await worker.publish("announcements", "sale")
        network.mend()
        await app.sees("inbox:ann", ["a", "b"])
        await app.sees("order", [1, 2])
        await app.sees("announcements", ["sale"])
        await worker.publish("order:A-ann", 3)
        await app.sees("order", [1, 2, 3])
        assert sorted(app.recovered) == [("announcements", True), ("inbox:ann", True), ("order:A-ann", True)]
        await client.disconnect()


async def test_the_sdk_moves_to_another_worker_when_its_own_drains(start: Start) -> None:
    app = App()
    first = await start(drain_s=0.2)
    client = _client(app, first.port, token="ann")
    await client.connect()
    await client.ready()
    await first.publish("inbox:ann", 1)
    await app.sees("inbox:ann", [1])
    first.server.close()
    second = await start(port=first.port)
    await first.gateway.drain()
    await second.publish("inbox:ann", 2)
    await app.sees("inbox:ann", [1, 2])
    assert 3001 in app.connecting
    await client.disconnect()


async def test_the_sdk_brings_a_fresh_token_when_its_own_has_expired(worker: Running) -> None:
    app = App()

    async def get_token() -> str:
        return "ann"

    client = _client(app, worker.port, token="expired:ann", get_token=get_token)
    await client.connect()
    await client.ready()
    await worker.publish("inbox:ann", 1)
    await app.sees("inbox:ann", [1])
    await client.disconnect()


async def test_the_sdk_stays_away_after_an_invalid_token(worker: Running) -> None:
    app = App()
    client = _client(app, worker.port, token="forged")
    await client.connect()
    await until(lambda: bool(app.disconnected))
    assert app.disconnected == [3500]


async def test_the_sdk_calls_an_operation_and_reads_history(worker: Running) -> None:
    client = _client(App(), worker.port, token="ann")
    await client.connect()
    assert (await client.rpc("echo", {"n": 1})).data == {"n": 1}
    await worker.publish("log:1", "x")
    page = await client.history("log:1", limit=5)
    assert [publication.data for publication in page.publications] == ["x"]
    await client.disconnect()
