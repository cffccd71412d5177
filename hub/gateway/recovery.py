"""Catching up: the one way by which a subscription gets what it was not given live.

A subscription is behind when its offset is below its topic's head: because its socket was full, a pub/sub message was
lost, Redis was away, or it recovers from far back. Its topic's stream is then read in pages, one read for all that are
behind, until each is level with the live head. What can no longer be told is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from hub.domain.errors import StoreUnavailable
from hub.domain.topics import Position, TopicKind
from hub.gateway.formats import Frames
from hub.gateway.ports import Page, Topics
from hub.gateway.subscriptions import LiveTopic, Subscription
from hub.gateway.tally import Tally
from hub.observe import logger
from hub.protocol import wire
from hub.protocol.client_info import decode_info

_PAGE = 100
_WORKERS = 8
"""Topics caught up at the same time."""
_SLICE = 100
"""Writes before others get their turn."""
_RETRY_S = 0.25
_READ_TIMEOUT_S = 10.0
_log = logger(__name__)


class Recovery:
    """Catches subscriptions up. `run` does the work; the other methods may be called at any time."""

    def __init__(self, topics: Topics, tally: Tally) -> None:
        self._topics = topics
        self._tally = tally
        self._waiting: asyncio.Queue[LiveTopic] = asyncio.Queue()  # Bounded: a topic is in it once at most.

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_WORKERS):
                group.create_task(self._work())

    def request(self, subscription: Subscription) -> None:
        """Catch a subscription up, unless it is level, or its socket is full: then it asks again once it drains."""
        if not subscription.behind or subscription.receiver.paused:
            return
        topic = subscription.topic
        if topic.behind is None:
            topic.behind = set()
            self._waiting.put_nowait(topic)
        topic.behind.add(subscription)

    def request_all(self, topic: LiveTopic) -> None:
        """Catch up whoever is behind."""
        for subscription in topic.subscribers:
            self.request(subscription)

    def restarted(self, topic: LiveTopic, position: Position) -> None:
        """Redis has lost a part of the topic, which goes on in a new epoch: old offsets mean nothing any more.

        Subscribers of a log start over, and know it. The others only want what is new.
        """
        topic.restart(position)
        if topic.backlog is not None:
            topic.backlog.clear()
        for subscription in [*topic.subscribers]:
            if topic.kind is TopicKind.LOG:
                _give_up(subscription)
            else:
                subscription.offset = position.offset - 1 if topic.kind is TopicKind.LATEST else position.offset
                self.request(subscription)

    async def _work(self) -> None:
        while True:
            topic = await self._waiting.get()
            try:
                await self.catch_up(topic)
            except (StoreUnavailable, TimeoutError) as error:
                _log.warning("catch_up_delayed", topic_kind=topic.kind, error=str(error))
                await asyncio.sleep(_RETRY_S)
                self._waiting.put_nowait(topic)

    async def catch_up(self, topic: LiveTopic) -> None:
        """Bring everybody who is behind level with the topic's head. Raises StoreUnavailable; call it again then."""
        exact = topic.kind is not TopicKind.LATEST
        while ready := _ready(topic):
            head = topic.head
            since = min(subscription.offset for subscription in ready) if exact else head - 1
            async with asyncio.timeout(_READ_TIMEOUT_S):
                page = await self._topics.read_since(topic.name, since, limit=_PAGE)
                if page.position.epoch == topic.epoch and page.position.offset < head:
                    # Redis has forgotten what it published: nobody may take the offsets it will give again for known.
                    await self._topics.rotate_epoch(topic.name, topic.epoch)
                    (position,) = await self._topics.positions([topic.name])
                    self.restarted(topic, position)
                    continue
            if page.position.epoch != topic.epoch:
                self.restarted(topic, page.position)
                continue
            await self._write(topic, page, ready)
            if all(subscription.offset <= since for subscription in ready if subscription.behind):
                # The stream does not have what its position promises.
                for subscription in ready:
                    if subscription.behind and not subscription.receiver.paused:
                        _give_up(subscription)
        topic.behind = None

    async def _write(self, topic: LiveTopic, page: Page, ready: Sequence[Subscription]) -> None:
        publications = page.publications
        first = publications[0].offset if publications else page.position.offset + 1
        _skip_trimmed(topic, ready, first)
        if topic.kind is TopicKind.LATEST:
            publications = publications[-1:]
        written = 0
        for publication in publications:
            info = decode_info(publication.info) if publication.info else None
            frames = Frames(wire.publication(topic.name, publication.data, publication.offset, info))
            for subscription in ready:
                if _takes(subscription, publication.offset):
                    subscription.offset = publication.offset
                    subscription.receiver.write(frames[subscription.receiver.format])
                    written += 1
                    if written % _SLICE == 0:
                        await asyncio.sleep(0)
        self._tally.recovered += written


def _ready(topic: LiveTopic) -> list[Subscription]:
    """Return whom to write to; forget the others, which ask again when their sockets drain."""
    behind: Iterable[Subscription] = topic.behind or ()
    ready = [subscription for subscription in behind if subscription.behind and not subscription.receiver.paused]
    topic.behind = set(ready)
    return ready


def _takes(subscription: Subscription, offset: int) -> bool:
    if not subscription.attached or subscription.receiver.paused:
        return False
    if subscription.topic.kind is TopicKind.LATEST:
        return subscription.offset < offset
    return subscription.offset + 1 == offset


def _skip_trimmed(topic: LiveTopic, ready: Sequence[Subscription], first: int) -> None:
    """Deal with those who miss something from before `first`, the oldest publication that is left."""
    for subscription in ready:
        if subscription.attached and subscription.offset + 1 < first:
            if topic.kind is TopicKind.LOG:
                _give_up(subscription)
            elif topic.kind is TopicKind.BROADCAST or first > topic.head:
                subscription.offset = first - 1


def _give_up(subscription: Subscription) -> None:
    subscription.topic.remove(subscription)
    subscription.receiver.insufficient(subscription)
