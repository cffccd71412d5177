"""An app on the official Python SDK, and a network between it and a worker that can be cut."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from centrifuge import Client, ClientEventHandler, SubscriptionEventHandler

from tests.integration.gateway.dialects import PROTOBUF, Dialect
from tests.integration.gateway.stage import until


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
    """What an app is told by the SDK. In protobuf the SDK takes and gives data as bytes, and the app knows of JSON."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.seen: dict[str, list[Any]] = {}
        self.recovered: list[tuple[str, bool]] = []
        self.disconnected: list[int] = []
        self.connecting: list[int] = []
        self.publishers: list[str | None] = []
        """Who published what came, None where a service did."""
        self.attendance: list[tuple[str, str, Any]] = []
        """Who came ("join") and went ("leave"), and what their token says of it."""
        self.unsubscribed: list[int] = []
        self.resubscribing: list[int] = []
        self.failed: list[int] = []

    async def on_publication(self, ctx: Any) -> None:
        self.seen.setdefault(getattr(ctx, "channel", "order"), []).append(self.decoded(ctx.pub.data))
        self.publishers.append(ctx.pub.info and ctx.pub.info.user)

    async def on_subscribed(self, ctx: Any) -> None:
        if ctx.was_recovering:
            self.recovered.append((ctx.channel, ctx.recovered))

    async def on_join(self, ctx: Any) -> None:
        self.attendance.append(("join", ctx.info.user, self.decoded(ctx.info.chan_info)))

    async def on_leave(self, ctx: Any) -> None:
        self.attendance.append(("leave", ctx.info.user, self.decoded(ctx.info.chan_info)))

    async def on_unsubscribed(self, ctx: Any) -> None:
        self.unsubscribed.append(ctx.code)

    async def on_subscribing(self, ctx: Any) -> None:
        self.resubscribing.append(getattr(ctx, "code", 0))

    async def on_error(self, ctx: Any) -> None:
        self.failed.append(ctx.code)

    async def on_connecting(self, ctx: Any) -> None:
        self.connecting.append(ctx.code)

    async def on_disconnected(self, ctx: Any) -> None:
        self.disconnected.append(ctx.code)

    def encoded(self, data: Any) -> Any:
        return json.dumps(data).encode() if self.dialect is PROTOBUF else data

    def decoded(self, data: Any) -> Any:
        if self.dialect is not PROTOBUF:
            return data
        return json.loads(data) if data else None

    async def sees(self, channel: str, expected: list[Any]) -> None:
        await until(lambda: self.seen.get(channel) == expected)


def sdk_client(app: App, port: int, **options: Any) -> Client:
    url = f"ws://127.0.0.1:{port}/connection/websocket"
    own = {"proxy": None, "use_protobuf": app.dialect is PROTOBUF}
    return Client(url, events=app, min_reconnect_delay=0.05, max_reconnect_delay=0.2, **own, **options)
