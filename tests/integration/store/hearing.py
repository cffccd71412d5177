"""What goes out on a channel."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.store.pubsub import PubSub
from hub.store.server import Server


@asynccontextmanager
async def hearing(server: Server, channel: str) -> AsyncIterator[asyncio.Queue[bytes]]:
    """Yield the messages of a channel, as they come."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    def hear(_: str, message: bytes) -> None:
        heard.put_nowait(message)

    async with PubSub[str](server, on_message=hear, on_gap=lambda: None) as pubsub:
        assert await pubsub.wait_connected(5)
        await pubsub.subscribe({channel.encode(): channel})
        yield heard
