"""Which topics this worker is subscribed to in Redis: from the first local subscriber to a while after the last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from hub.domain.ids import Topic
from hub.domain.topics import Namespace, Namespaces
from hub.gateway.subscriptions import LiveTopic


class Wires(Protocol):
    """Redis pub/sub: `hub.store.pubsub.PubSub`."""

    async def subscribe(self, channels: Mapping[bytes, LiveTopic]) -> None:
        """Return when all are subscribed; raise StoreUnavailable if not."""
        ...

    def unsubscribe(self, channels: Iterable[bytes]) -> None:
        """Stop the messages of these channels."""
        ...


class Directory:
    """The worker's live topics by name. A topic is left when it has had no subscriber for `linger_s`."""

    def __init__(
        self, wires: Wires, namespaces: Namespaces, *, channel_of: Callable[[Topic], str], linger_s: float = 5.0
    ) -> None:
        """Take `channel_of`, which tells a topic's pub/sub channel in Redis."""
        self._wires = wires
        self._namespaces = namespaces
        self._channel_of = channel_of
        self._linger_s = linger_s
        self._topics: dict[Topic, LiveTopic] = {}
        self._idle: set[LiveTopic] = set()

    def __iter__(self) -> Iterator[LiveTopic]:
        return iter([*self._topics.values()])

    def __len__(self) -> int:
        return len(self._topics)

    def options(self, name: Topic) -> Namespace | None:
        """Return the options of a topic, None where its namespace is not defined."""
        return self._namespaces.of(name)

    def allows_name(self, name: Topic) -> bool:
        """Say whether clients may use a topic of this name."""
        return self._namespaces.allows_name(name)

    def pin(self, names: Iterable[Topic]) -> dict[Topic, LiveTopic]:
        """Return the live topics of these names, which are not left until unpinned. Their namespaces must be known."""
        return {name: self._pin(name) for name in names}

    def _pin(self, name: Topic) -> LiveTopic:
        topic = self._topics.get(name)
        if topic is None:
            options = self._namespaces.of(name)
            if options is None:
                raise LookupError(name)
            topic = self._topics[name] = LiveTopic(name, options)
        topic.pins += 1
        return topic

    def unpin(self, topics: Iterable[LiveTopic]) -> None:
        """Let go of topics that were pinned."""
        for topic in topics:
            topic.pins -= 1
            self.released(topic)

    def released(self, topic: LiveTopic) -> None:
        """Take note that a topic may have lost its last subscriber."""
        if not topic.subscribers and not topic.pins:
            topic.idle_since_s = None
            self._idle.add(topic)

    async def enter(self, topics: Iterable[LiveTopic]) -> None:
        """Subscribe in Redis to those that are not yet. Raises StoreUnavailable."""
        new = [topic for topic in topics if not topic.entered]
        if new:
            await self._wires.subscribe({self._channel(topic): topic for topic in new})
            for topic in new:
                topic.entered = True

    def sweep(self, now_s: float) -> None:
        """Leave the topics that nobody has wanted for a while. To be called about once a second."""
        left: list[LiveTopic] = []
        for topic in [*self._idle]:
            if topic.subscribers or topic.pins:
                self._idle.discard(topic)
            elif topic.idle_since_s is None:
                topic.idle_since_s = now_s
            elif now_s - topic.idle_since_s >= self._linger_s:
                left.append(topic)
        for topic in left:
            self._idle.discard(topic)
            del self._topics[topic.name]
        self._wires.unsubscribe([self._channel(topic) for topic in left if topic.entered])

    def _channel(self, topic: LiveTopic) -> bytes:
        return self._channel_of(topic.name).encode()
