"""A gateway worker on a real port, and clients of it."""

import asyncio
import itertools
import json
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
from aiohttp import web
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from hub.domain.decisions import Publication
from hub.domain.directives import Directive
from hub.domain.ids import EffectId, Topic, UserId
from hub.domain.permission import (
    Action,
    Identity,
    Role,
    ServerSubscription,
    SubscriptionGrant,
    TokenExpired,
    TokenInvalid,
    permits,
)
from hub.domain.topics import DataFormat, Namespace, Namespaces, TopicKind
from hub.gateway.clock import Clock
from hub.gateway.gateway import Gateway
from hub.protocol.codes import CommandError, method_not_found
from hub.settings import Gateway as Settings
from hub.store.directives import Directives
from hub.store.keys import Keys
from hub.store.opening import open_server
from hub.store.presence import Presence
from hub.store.scripts import Scripts
from hub.store.server import Server
from hub.store.single import SingleServer
from hub.store.topics import Topics
from hub.store.workers import Workers
from tests.integration.gateway.dialects import JSON, Dialect

NAMESPACES = Namespaces(
    (
        Namespace(
            "log", TopicKind.LOG, history_size=10, allow_subscribe_for_client=True, allow_history_for_client=True
        ),
        Namespace("wide", TopicKind.LOG, history_size=1_000, allow_subscribe_for_client=True),
        Namespace("news", TopicKind.BROADCAST, history_size=3, allow_subscribe_for_client=True),
        Namespace("tape", TopicKind.LOG, history_size=10_000, allow_subscribe_for_client=True),
        Namespace("fleeting", TopicKind.LOG, history_size=0, allow_subscribe_for_client=True),
        Namespace(
            "room",
            presence=True,
            join_leave=True,
            allow_subscribe_for_client=True,
            allow_publish_for_subscriber=True,
            allow_history_for_subscriber=True,
            allow_presence_for_subscriber=True,
            max_subscriptions=3,
            max_publication_bytes=100,
        ),
        Namespace(
            "lobby",
            join_leave=True,
            force_push_join_leave=True,
            allow_subscribe_for_client=True,
            allow_subscribe_for_anonymous=True,
        ),
        Namespace("vault", presence=True, allow_presence_for_subscriber=True),
        Namespace("dialog", allow_user_limited_channels=True),
        Namespace("own"),
        Namespace(
            "plain",
            force_recovery=False,
            allow_positioning=True,
            allow_subscribe_for_client=True,
            channel_regex="^[0-9]",
        ),
        Namespace("kept", force_recovery=False, allow_recovery=True, allow_subscribe_for_client=True),
        Namespace("open", allow_publish_for_client=True, publication_data_format=DataFormat.JSON_OBJECT),
    )
)
PATIENCE_S = 30.0
"""How long a test waits for what comes within milliseconds, unless the machine has others to serve."""
PING_S, PONG_S = 300.0, 100.0
"""No ping comes by itself while a test runs: its clients answer none. A test of pings puts the clock forward."""
_ids = itertools.count()


class Shop:
    """Knows everybody. A token is `user`, `user@expiry`, `user+topic`, `expired:user` or `service:name`."""

    def authenticate(self, token: str) -> Identity:
        if token.startswith("expired:"):
            raise TokenExpired
        if token.startswith("forged"):
            raise TokenInvalid
        if token.startswith("service:"):
            return Identity(UserId(token), Role.SERVICE)
        user, _, expires = token.partition("@")
        user, *topics = user.split("+")
        info = msgspec.Raw(b'{"name":"%s"}' % user.encode())
        granted = tuple(ServerSubscription(Topic(topic), data=msgspec.Raw(b"7"), info=info) for topic in topics)
        expires_s = int(expires) if expires else None
        return Identity(UserId(user), Role.SHOPPER, expires_s=expires_s, info=info, subscriptions=granted)

    async def may(self, who: Identity, action: Action, topic: Topic, *, subscribed: bool = False) -> bool:
        namespace = NAMESPACES.of(topic)
        assert namespace is not None
        if not NAMESPACES.built_in(topic):
            return permits(namespace, who, action, topic, subscribed=subscribed)
        return action in {Action.SUBSCRIBE, Action.HISTORY} and (
            namespace.name != "order" or topic.endswith(f"-{who.user}")
        )

    def subscription(self, token: str) -> SubscriptionGrant:
        """A token is `user/topic`, `user/topic@expiry`, `expired:…` or `forged…`."""
        if token.startswith("expired:"):
            raise TokenExpired
        user, slash, rest = token.partition("/")
        if not slash:
            raise TokenInvalid
        topic, _, expires = rest.partition("@")
        return SubscriptionGrant(
            UserId(user), Topic(topic), int(expires) if expires else None, msgspec.Raw(b'{"seat":1}')
        )

    async def rpc(self, who: Identity, method: str, data: bytes) -> bytes:
        match method:
            case "echo":
                return data
            case "fail":
                raise CommandError(450, "no such order")
            case "crash":
                raise ZeroDivisionError
            case _:
                raise method_not_found()


class Hands:
    """The hands of a worker's clock. The time of day stands still until a test puts it forward.

    So what a token has left to live does not depend on how fast the machine is.
    """

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._began_unix_s = int(time.time())

    @property
    def clock(self) -> Clock:
        """The clock they belong to. Its other time, that of pings and patience, runs as ever."""
        return Clock(lambda: time.monotonic() + self._ahead_s, lambda: self._began_unix_s + self._ahead_s)

    def forward(self, by_s: float) -> None:
        """Have so many seconds pass at once. The worker sees it with the next tick of its wheel."""
        self._ahead_s += by_s

    def in_s(self, seconds: int) -> int:
        """Return the Unix time that many seconds from now."""
        return int(self._began_unix_s + self._ahead_s) + seconds


@dataclass(frozen=True)
class Stores:
    """What a gateway reads and writes, in one Redis."""

    server: Server
    keys: Keys
    namespaces: Namespaces
    topics: Topics
    directives: Directives
    workers: Workers
    presence: Presence

    @classmethod
    def on(cls, server: Server, keys: Keys) -> Self:
        scripts = Scripts(server)
        return cls(
            server,
            keys,
            NAMESPACES,
            topics=Topics(server, scripts, keys, NAMESPACES, dedupe_window_s=60),
            directives=Directives(server, scripts, keys),
            workers=Workers(scripts, keys),
            presence=Presence(scripts, keys, NAMESPACES),
        )


@dataclass
class Running:
    """A worker, and the store to publish through."""

    gateway: Gateway
    topics: Topics
    directives: Directives
    port: int
    keys: Keys
    store: Server
    server: asyncio.Server
    runner: web.AppRunner
    dialect: Dialect
    """What clients speak unless told otherwise."""
    hands: Hands

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/connection/websocket"

    @property
    def redis(self) -> Any:
        """redis-py's client on the one server there is."""
        assert isinstance(self.store, SingleServer)
        return self.store.redis

    async def publish(self, topic: str, data: Any, *, rank: int | None = None, kept: bool = True) -> None:
        await self.publish_raw(topic, json.dumps(data).encode(), rank=rank, kept=kept)

    async def publish_raw(self, topic: str, body: bytes, *, rank: int | None = None, kept: bool = True) -> None:
        effect, now_ms = EffectId(f"e{next(_ids)}"), time.time_ns() // 1_000_000
        await self.topics.publish_many([Publication(Topic(topic), effect, body, rank, now_ms, kept=kept)])

    async def publish_many(self, topic: str, data: Sequence[Any]) -> None:
        """Publish on one topic, in order, in one round trip."""
        bodies = [json.dumps(each).encode() for each in data]
        await self.topics.publish_many([Publication(Topic(topic), EffectId(f"e{next(_ids)}"), body) for body in bodies])

    async def tell(self, *directives: Directive) -> None:
        told = [(EffectId(f"d{next(_ids)}"), directive) for directive in directives]
        await self.directives.tell(told, now_ms=time.time_ns() // 1_000_000)

    @asynccontextmanager
    async def raw(self, *, dialect: Dialect | None = None, **options: Any) -> AsyncIterator["Raw"]:
        spoken = dialect or self.dialect
        offer = [Subprotocol(spoken.subprotocol)]
        async with connect(self.url, proxy=None, compression=None, subprotocols=offer, **options) as socket:
            yield Raw(socket, spoken)

    @asynccontextmanager
    async def user(self, token: str, *, dialect: Dialect | None = None, **request: Any) -> AsyncIterator["Raw"]:
        async with self.raw(dialect=dialect) as client:
            client.hello = await client.call(connect={"token": token, **request})
            yield client


class Raw:
    """A client that speaks the protocol message by message."""

    def __init__(self, socket: ClientConnection, dialect: Dialect) -> None:
        self.socket = socket
        self._dialect = dialect
        self.hello: Any = None
        self.pushes: list[Any] = []
        self._lines: list[Any] = []
        self._ids = itertools.count(1)

    async def send(self, *commands: Any) -> None:
        await self.socket.send(self._dialect.encode(commands))

    async def next(self) -> Any:
        while not self._lines:
            async with asyncio.timeout(PATIENCE_S):
                frame = await self.socket.recv()
            self._lines = self._dialect.decode(frame)
        return self._lines.pop(0)

    async def call(self, **command: Any) -> Any:
        number = next(self._ids)
        await self.send({"id": number, **command})
        while True:
            line = await self.next()
            if line.get("id") == number:
                return line.get("error") or line[next(iter(command))]
            self.pushes.append(line)

    async def publications(self, count: int) -> list[Any]:
        while len(self.published) < count:
            line = await self.next()
            if line:
                self.pushes.append(line)
        return self.published

    @property
    def published(self) -> list[Any]:
        """The publications among what it was told."""
        return [push["push"]["pub"] for push in self.pushes if "pub" in push.get("push", {})]

    async def closed(self) -> tuple[int, str]:
        async with asyncio.timeout(PATIENCE_S):
            await self.socket.wait_closed()
        return self.socket.close_code or 0, self.socket.close_reason or ""


Start = Callable[..., Awaitable[Running]]


@asynccontextmanager
async def workers(redis_url: str, key_prefix: str, dialect: Dialect = JSON) -> AsyncIterator[Start]:
    keys = Keys(key_prefix)
    # Whatever happens to the test: uvloop waits for ever for what is left open when it is closed.
    started = AsyncExitStack()

    async def begin(*, url: str = redis_url, port: int = 0, **settings: Any) -> Running:
        store = open_server(url)
        started.push_async_callback(store.aclose)
        stores = Stores.on(store, keys)
        shop = Shop()
        app = web.Application()
        runner = web.AppRunner(app)
        hands = Hands()
        gateway = Gateway(
            replace(Settings(), **{"ping_interval_s": PING_S, "pong_timeout_s": PONG_S, **settings}),
            stores,
            access=shop,
            operations=shop,
            http=lambda: runner.server(),  # type: ignore[misc]  # noqa: PLW0108 - it is None until set up
            clock=hands.clock,
            # A busy machine makes a worker late, and so does a clock that is put forward.
            late_from_s=math.inf,
            version="test",
        )
        app.router.add_get("/connection/websocket", gateway.upgrade_from_http)
        app.router.add_route("*", "/connection/uni_sse", gateway.stream_from_http)
        app.router.add_get("/hello", _hello)
        await runner.setup()
        started.push_async_callback(runner.cleanup)
        await started.enter_async_context(gateway)
        server = await asyncio.get_running_loop().create_server(gateway.protocol_factory, "127.0.0.1", port)
        started.callback(server.close)
        await until(lambda: gateway.ready)
        return Running(
            gateway,
            stores.topics,
            stores.directives,
            server.sockets[0].getsockname()[1],
            keys,
            store,
            server,
            runner,
            dialect,
            hands,
        )

    async with started:
        yield begin


async def _hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def until(condition: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
    """Wait for something that happens elsewhere and says nothing of it."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - there is nobody to set an event
            await asyncio.sleep(0.01)


def open_descriptors() -> int:
    """How many descriptors this process has, the worker's and the clients' together."""
    return len([*Path("/proc/self/fd").iterdir()])
