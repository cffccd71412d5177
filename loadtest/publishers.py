"""How a scenario publishes: over a server's HTTP API, or straight into Doorbell's Redis, as its other roles do."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Protocol

import aiohttp
import msgspec

from hub.app import open_stores
from hub.domain.decisions import Publication
from hub.domain.ids import EffectId, Topic
from hub.settings import Settings
from hub.store.topics import Topics

Message = tuple[str, bytes]
"""A topic, and one JSON value for it."""
_TIMEOUT = aiohttp.ClientTimeout(total=30.0)
_SHOWN_BYTES = 300


class PublishFailed(RuntimeError):
    """A server did not take a publication."""


class Publisher(Protocol):
    """Publishes on topics."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish, on each topic in order; return when all is taken. Raises PublishFailed, or the store's errors."""


class StorePublisher:
    """Publishes through Doorbell's own store, one round trip for all."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._numbers = itertools.count(1)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish in order."""
        numbered = [(number, message) for number, message in zip(self._numbers, messages, strict=False)]
        await self._topics.publish_many(
            [
                Publication(Topic(topic), EffectId(f"load-{number}"), data, rank=number)
                for number, (topic, data) in numbered
            ]
        )


@asynccontextmanager
async def store_publisher(settings: Settings, redis_url: str) -> AsyncIterator[StorePublisher]:
    """Open the store of an installation for publishing."""
    async with open_stores(settings, redis_url) as stores:
        yield StorePublisher(stores.topics)


class _Command(msgspec.Struct):
    channel: str
    data: msgspec.Raw


class ApiPublisher:
    """Publishes by `POST <api>/publish` with an API key in `X-API-Key`, as Centrifugo's HTTP API has it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url.rstrip('/')}/publish"

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish on all topics side by side, on each one after the other."""
        by_topic: dict[str, list[bytes]] = {}
        for topic, data in messages:
            by_topic.setdefault(topic, []).append(data)
        await asyncio.gather(*(self._publish(topic, batch) for topic, batch in by_topic.items()))

    async def _publish(self, topic: str, batch: Sequence[bytes]) -> None:
        for data in batch:
            body = msgspec.json.encode(_Command(topic, msgspec.Raw(data)))
            async with self._session.post(self._url, data=body) as response:
                said = await response.read()
                if response.status != HTTPStatus.OK or b'"error"' in said[:_SHOWN_BYTES]:
                    raise PublishFailed(f"{self._url} answered {response.status}: {said[:_SHOWN_BYTES]!r}")


@asynccontextmanager
async def api_publisher(url: str, key: str) -> AsyncIterator[ApiPublisher]:
    """Open a session with an HTTP API."""
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT) as session:
        yield ApiPublisher(session, url)
