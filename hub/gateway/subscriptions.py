"""Topics with local subscribers, and who they are.

Every subscription carries its own offset: the last publication its client was given. All of subscribing, recovery,
slow readers, gaps and the loss of Redis comes down to comparing that offset with the topic's head.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Protocol

from msgspec import Raw

from hub.domain.ids import Epoch, Topic
from hub.domain.topics import Namespace, Position, TopicKind
from hub.gateway.formats import Format, Frames
from hub.protocol.wire import ClientInfo, Push

NOWHERE = -1
UNKNOWN = Epoch("?")
"""The epoch of a topic that nothing has been heard of yet."""


class Receiver(Protocol):
    """A connection as the fan-out sees it."""

    paused: bool
    """Its socket takes no more for now: write nothing, it will ask for what it missed."""

    @property
    def format(self) -> Format:
        """What it is to be written in."""

    def write(self, frame: bytes) -> None:
        """Write one or more whole frames."""

    def insufficient(self, subscription: Subscription) -> None:
        """The subscription has ended because what it missed can no longer be told."""

    def seen_as(self, chan_info: Raw | None) -> ClientInfo:
        """Return what others see of it in a topic, where its subscription has this `chan_info`."""

    def subscription_due(self, subscription: GrantedSubscription) -> None:
        """The time of a subscription has come, or may have: set it again if it has not."""


class Subscription:
    """One client's place in one topic."""

    __slots__ = ("index", "offset", "receiver", "server_side", "topic")

    def __init__(self, receiver: Receiver, topic: LiveTopic, *, offset: int, server_side: bool) -> None:
        self.receiver = receiver
        self.topic = topic
        self.offset = offset
        """The last publication that was written."""
        self.server_side = server_side
        self.index = NOWHERE
        """Its place among the topic's subscribers; NOWHERE once it has left."""

    @property
    def attached(self) -> bool:
        """Whether it is among its topic's subscribers."""
        return self.index != NOWHERE

    @property
    def behind(self) -> bool:
        """Whether there is something it has not been given and still can be."""
        return self.index != NOWHERE and self.offset < self.topic.head and self.topic.recoverable


class GrantedSubscription(Subscription):
    """A subscription that a token has opened, or put something to. `expires_s` is a Unix time, None for never."""

    __slots__ = ("expires_s", "info", "slot")

    def __init__(
        self,
        receiver: Receiver,
        topic: LiveTopic,
        *,
        offset: int,
        server_side: bool,
        expires_s: int | None,
        info: Raw | None,
    ) -> None:
        super().__init__(receiver, topic, offset=offset, server_side=server_side)
        self.expires_s = expires_s
        self.info = info
        self.slot = -1
        """Its place in the timer wheel, which only one that expires has."""

    def on_time(self, now_s: float) -> None:
        """The wheel has come round."""
        self.receiver.subscription_due(self)


def seen_of(subscription: Subscription) -> ClientInfo:
    """Return what others see of a subscription's client in its topic."""
    info = subscription.info if isinstance(subscription, GrantedSubscription) else None
    return subscription.receiver.seen_as(info)


class Broadcast(Frames):
    """One publication on its way to the subscribers there were when its turn came."""

    __slots__ = ("at", "offset", "origin_ms", "read_s", "subscribers")

    def __init__(self, push: Push, offset: int, *, origin_ms: int, read_s: float) -> None:
        self.messages = (push,)
        self.offset = offset
        self.origin_ms = origin_ms
        self.read_s = read_s
        self.at = 0
        self.subscribers: list[Subscription] | None = None


class LiveTopic:
    """A topic this worker is subscribed to in Redis."""

    __slots__ = (
        "backlog",
        "behind",
        "entered",
        "epoch",
        "head",
        "idle_since_s",
        "kind",
        "listeners",
        "name",
        "options",
        "pins",
        "recoverable",
        "subscribers",
    )

    def __init__(self, name: Topic, options: Namespace) -> None:
        self.name = name
        self.options = options
        self.kind: TopicKind = options.kind
        self.recoverable = options.recoverable
        self.epoch: Epoch = UNKNOWN
        self.head = 0
        """The newest offset heard of, by pub/sub or from the store."""
        self.subscribers: list[Subscription] = []
        self.backlog: deque[Broadcast] | None = None
        self.behind: set[Subscription] | None = None
        """Subscriptions that are being caught up; None while there are none."""
        self.listeners: set[Subscription] | None = None
        """Those that have asked to be told who comes and goes; None where nobody has."""
        self.pins = 0
        """Joins under way: keeps the topic from being left."""
        self.entered = False
        """Whether its publications arrive: subscribed in Redis."""
        self.idle_since_s: float | None = None

    @property
    def known(self) -> bool:
        """Whether its epoch and head are known. Of a topic without history there is nothing to know."""
        return self.epoch != UNKNOWN or not self.recoverable

    @property
    def position(self) -> Position:
        """Its epoch and head."""
        return Position(self.epoch, self.head)

    @property
    def told_of_attendance(self) -> Collection[Subscription]:
        """Those that are told who comes and goes."""
        return self.subscribers if self.options.force_push_join_leave else self.listeners or ()

    def listen(self, subscription: Subscription) -> None:
        """Tell a subscription who comes and goes."""
        if self.listeners is None:
            self.listeners = set()
        self.listeners.add(subscription)

    def heard_of(self, position: Position) -> bool:
        """Take note of a position. Return False if it is of another life of the stream: the caller decides then."""
        if self.epoch == UNKNOWN:
            self.epoch = position.epoch
        elif self.epoch != position.epoch:
            return False
        self.head = max(self.head, position.offset)
        return True

    def restart(self, position: Position) -> None:
        """Begin another life."""
        self.epoch, self.head = position.epoch, position.offset

    def add(self, subscription: Subscription) -> None:
        """Let a subscription take part."""
        subscription.index = len(self.subscribers)
        self.subscribers.append(subscription)
        self.idle_since_s = None

    def remove(self, subscription: Subscription) -> None:
        """Let a subscription go, in O(1): the last takes its place."""
        index = subscription.index
        if index == NOWHERE:
            return
        subscription.index = NOWHERE
        last = self.subscribers.pop()
        if last is not subscription:
            self.subscribers[index] = last
            last.index = index
        if self.behind is not None:
            self.behind.discard(subscription)
        if self.listeners is not None:
            self.listeners.discard(subscription)
