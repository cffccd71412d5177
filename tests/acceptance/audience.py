"""Shoppers with their apps open: lean clients and official SDKs, each writing down all that it is shown."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from centrifuge import Client as SdkClient
from centrifuge import ClientEventHandler

from loadtest.swarm.client import Client
from loadtest.swarm.ledger import Tally
from tests.acceptance.checker import Told


class _Context(msgspec.Struct):
    order_id: str = ""
    payment_id: str = ""
    shipment_id: str = ""


class _Notification(msgspec.Struct):
    id: str
    event_type: str
    data: _Context


class _InboxMessage(msgspec.Struct):
    type: str
    notification: _Notification | None = None


class _Update(msgspec.Struct):
    type: str
    order_id: str = ""
    payment_id: str = ""
    shipment_id: str = ""
    sale_id: str = ""
    new: dict[str, Any] = {}


_inbox = msgspec.json.Decoder(_InboxMessage).decode
_update = msgspec.json.Decoder(_Update).decode


class Audience:
    """All the apps. `told` is what each person's inbox showed, in order; `timelines` what each order's page did."""

    def __init__(self, port: int, token: Callable[[str], str]) -> None:
        self._port = port
        self._token = token
        self._apps: list[Client] = []
        self._sdks: list[SdkClient] = []
        self.tally = Tally()
        self.told: dict[str, list[Told]] = defaultdict(list)
        self.timelines: dict[str, list[Told]] = defaultdict(list)
        self.announced: dict[str, list[str]] = defaultdict(list)
        self.prices: dict[tuple[str, str], str] = {}
        self.strangers: list[str] = []
        """Publications on topics that the person has nothing to do with."""
        self.sdk_unrecovered: list[str] = []
        self.notified: dict[str, tuple[str, Told]] = {}
        """By the id of each notification: who was told what."""
        self.count = 0
        """Notifications shown."""

    async def open(self, users: Sequence[str], *, topics: Sequence[str] = (), timeout_s: float = 30.0) -> None:
        """Open the lean app of each user and wait until all are connected."""
        fresh = [
            Client(
                user,
                address=("127.0.0.1", self._port),
                token=self._token,
                tally=self.tally,
                on_publication=self._shown,
                topics=topics,
            )
            for user in users
        ]
        self._apps += fresh
        for app in fresh:
            await app.open()
        async with asyncio.timeout(timeout_s):
            await asyncio.gather(*(app.connected.wait() for app in fresh))

    async def open_sdks(self, users: Sequence[str]) -> None:
        """Open an app made with centrifuge-python for each user."""
        for user in users:
            client = SdkClient(
                f"ws://127.0.0.1:{self._port}/connection/websocket",
                events=_SdkEvents(self, user),
                token=self._token(user),
                proxy=None,
                min_reconnect_delay=0.1,
                max_reconnect_delay=1.0,
            )
            await client.connect()
            await client.ready()
            self._sdks.append(client)

    async def close(self) -> None:
        for app in self._apps:
            app.close()
        for sdk in self._sdks:
            await sdk.disconnect()
        await asyncio.sleep(0)

    def positions(self, topic: str) -> list[int]:
        """Return how far the apps have come that watch a topic."""
        return [app.positions[topic].offset for app in self._apps if topic in app.positions]

    def _shown(self, app: Client, topic: str, offset: int, data: bytes) -> None:
        namespace, _, name = topic.partition(":")
        if namespace == "inbox":
            order = self.inbox(app.user, name, data)
            if order:
                app.subscribe(f"order:{order}")
        elif namespace == "order":
            update = _update(data)
            self.timelines[name].append(Told(update.type, update.order_id, update.payment_id or update.shipment_id))
        elif namespace == "announcements":
            self.announced[app.user].append(_update(data).sale_id)
        elif namespace == "price":
            self.prices[app.user, name] = str(_update(data).new["amount_minor"])
        else:
            self.strangers.append(f"{app.user} on {topic}")

    def inbox(self, user: str, owner: str, data: bytes) -> str:
        """Write down what an inbox was shown; return the order it is about."""
        if owner != user:
            self.strangers.append(f"{user} on inbox:{owner}")
        message = _inbox(data)
        if message.notification is None:
            return ""
        context = message.notification.data
        told = Told(message.notification.event_type, context.order_id, context.payment_id or context.shipment_id)
        self.told[user].append(told)
        self.notified[message.notification.id] = (user, told)
        self.count += 1
        return context.order_id


class _SdkEvents(ClientEventHandler):  # type: ignore[misc]
    def __init__(self, audience: Audience, user: str) -> None:
        self._audience = audience
        self._user = user

    async def on_publication(self, ctx: Any) -> None:
        namespace, _, owner = ctx.channel.partition(":")
        if namespace == "inbox":
            self._audience.inbox(self._user, owner, msgspec.json.encode(ctx.pub.data))
        else:
            self._audience.announced[self._user].append(ctx.pub.data["sale_id"])

    async def on_subscribed(self, ctx: Any) -> None:
        if ctx.was_recovering and not ctx.recovered:
            self._audience.sdk_unrecovered.append(f"{self._user} on {ctx.channel}")
