"""A general hub's topics with the real program: two gateways, official SDK clients, real tokens."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import msgspec
from centrifuge import Client

from tests.acceptance.installation import SECRET, Installation
from tests.integration.gateway.dialects import JSON, PROTOBUF, Dialect
from tests.integration.gateway.sdk_app import App, sdk_client
from tests.integration.gateway.stage import until

ROOM = {
    "name": "room",
    "presence": True,
    "join_leave": True,
    "allow_publish_for_subscriber": True,
    "allow_presence_for_subscriber": True,
    "history_ttl_s": 60,
}
SETTINGS = {"NAMESPACES": msgspec.json.encode([ROOM]).decode(), "GATEWAY__PRESENCE_TTL_S": "9"}


@asynccontextmanager
async def gateways(folder: Path, name: str, redis_url: str) -> AsyncIterator[list[Installation]]:
    """Two gateways on one Redis, each on a port of its own."""
    async with AsyncExitStack() as stack:
        hubs = []
        for part in ("here", "far"):
            (folder / part).mkdir()
            hub = Installation(folder / part, name, REDIS_URL=redis_url, **SETTINGS)
            hubs.append(await stack.enter_async_context(hub))
        yield hubs


def room_token(user: str, **claims: Any) -> str:
    every = {"sub": user, "channel": "room:1", "exp": int(time.time()) + 600, "info": {"of": user}, **claims}
    return jwt.encode(every, SECRET, algorithm="HS256")


async def entered(hub: Installation, user: str, dialect: Dialect) -> tuple[App, Client, Any]:
    """Somebody in the room, who wants to be told who comes and goes."""
    app = App(dialect)
    client = sdk_client(app, hub.port, token=hub.token(user))
    await client.connect()
    room = client.new_subscription("room:1", events=app, token=room_token(user), join_leave=True)
    await room.subscribe()
    await room.ready()
    return app, client, room


async def test_a_gateway_that_is_killed_takes_its_clients_out_of_the_room(
    tmp_path: Path, redis_url: str, unique_name: str
) -> None:
    async with gateways(tmp_path, unique_name, redis_url) as (here, far):
        await here.started("serve")
        killed = await far.started("serve")
        ann_app, ann, room = await entered(here, "ann", JSON)
        bob_app, bob, theirs = await entered(far, "bob", PROTOBUF)
        await until(lambda: len(ann_app.attendance) == 2)
        await theirs.publish(bob_app.encoded("hello"))
        await ann_app.sees("order", ["hello"])
        clients = (await room.presence()).clients.values()
        assert sorted((info.user, info.chan_info["of"]) for info in clients) == [("ann", "ann"), ("bob", "bob")]
        killed.kill()
        await until(lambda: len(ann_app.attendance) == 3, within_s=40.0)
        assert ann_app.attendance == [
            ("join", "ann", {"of": "ann"}),
            ("join", "bob", {"of": "bob"}),
            ("leave", "bob", {"of": "bob"}),
        ]
        assert [info.user for info in (await room.presence()).clients.values()] == ["ann"]
        await bob.disconnect()
        await ann.disconnect()


async def test_a_token_for_the_room_does_not_open_the_door_to_the_hub(
    tmp_path: Path, redis_url: str, unique_name: str
) -> None:
    async with gateways(tmp_path, unique_name, redis_url) as (here, _):
        await here.started("serve")
        app = App(JSON)
        client = sdk_client(app, here.port, token=room_token("ann"))
        await client.connect()
        await until(lambda: app.disconnected == [3500])
