"""A topic's stream in memory, and receivers that note what they are given."""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import Raw

from hub.domain.decisions import Publication
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import Epoch, Topic
from hub.domain.topics import Namespace, Position, TopicKind
from hub.gateway.fanout import FanOut
from hub.gateway.formats import JSON, Format
from hub.gateway.recovery import Recovery
from hub.gateway.subscriptions import GrantedSubscription, LiveTopic, Subscription
from hub.gateway.tally import Tally
from hub.protocol.wire import ClientInfo
from hub.store.topics import Page, Stored

NAME = Topic("log:1")


class Stream:
    """Stands in for the store's `Topics`, with one topic."""

    def __init__(self, *, kept: int = 1_000) -> None:
        self.epoch = Epoch("e1")
        self.offset = 0
        self.entries: list[Stored] = []
        self.kept = kept
        self.down = False
        self.reads = 0

    def publish(self, data: bytes = b"0") -> bytes:
        """Append, and return the pub/sub message."""
        self.offset += 1
        self.entries.append(Stored(self.offset, data))
        self.trim(self.kept)
        return b"%s:%d:0:%s" % (self.epoch.encode(), self.offset, data)

    def trim(self, kept: int) -> None:
        self.entries = self.entries[-kept:] if kept else []

    def roll_back(self, lost: int) -> None:
        """Lose the newest publications, as a Redis that restarts from an older file."""
        self.offset = max(0, self.offset - lost)
        self.entries = [entry for entry in self.entries if entry.offset <= self.offset]

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.offset)

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailable

    async def positions(self, topics: Sequence[Topic]) -> list[Position]:
        self._check()
        return [self.position for _ in topics]

    async def read_since(self, topic: Topic, offset: int, *, limit: int) -> Page:
        self._check()
        self.reads += 1
        found = tuple([entry for entry in self.entries if entry.offset > offset][:limit])
        complete = found[0].offset == offset + 1 if found else offset == self.offset
        return Page(self.position, found, complete)

    async def history(self, topic: Topic, *, since: Position | None, limit: int, reverse: bool) -> Page:
        raise NotImplementedError

    async def publish_many(self, publications: Sequence[Publication]) -> None:
        raise NotImplementedError

    async def rotate_epoch(self, topic: Topic, old: Epoch) -> None:
        if old == self.epoch:
            self.epoch = Epoch(f"{old}x")


@dataclass(eq=False)
class Client:
    """A receiver. `offsets` and `data` are what it was given, `told` whether it knows that it missed something."""

    paused: bool = False
    format: Format = JSON
    pause_after: int = 10_000
    """Writes until its socket is full."""
    offsets: list[int] = field(default_factory=list)
    data: list[object] = field(default_factory=list)
    told: bool = False
    attendance: list[tuple[str, str]] = field(default_factory=list)
    """Who came ("join") and who went ("leave")."""
    name: str = "c1"
    due: list[Subscription] = field(default_factory=list)

    def write(self, frame: bytes) -> None:
        assert not self.paused
        push = json.loads(frame[frame.index(b"{") :])["push"]
        for kind in {"join", "leave"} & push.keys():
            self.attendance.append((kind, push[kind]["info"]["client"]))
            return
        publication = push["pub"]
        self.offsets.append(publication.get("offset", 0))
        self.data.append(publication["data"])
        self.pause_after -= 1
        self.paused = self.pause_after <= 0

    def insufficient(self, subscription: Subscription) -> None:
        self.told = True

    def subscription_due(self, subscription: GrantedSubscription) -> None:
        self.due.append(subscription)

    def seen_as(self, chan_info: Raw | None) -> ClientInfo:
        return ClientInfo("ann", self.name, None, chan_info)


class Stage:
    """A fan-out and a recovery over one topic, run by hand."""

    def __init__(
        self, kind: TopicKind = TopicKind.LOG, *, history: int = 100, kept: int = 1_000, **options: Any
    ) -> None:
        self.stream = Stream(kept=kept)
        self.tally = Tally()
        self.soon: deque[Callable[[], None]] = deque()
        self.recovery = Recovery(self.stream, self.tally)
        self.fan_out = FanOut(self.recovery, self.tally, call_soon=self.soon.append)
        self.topic = LiveTopic(NAME, Namespace("log", kind, history_size=history, **options))
        self.topic.heard_of(self.stream.position)

    def join(self, client: Client, *, offset: int | None = None) -> Subscription:
        start = self.topic.head if offset is None else offset
        subscription = Subscription(client, self.topic, offset=start, server_side=False)
        self.topic.add(subscription)
        self.recovery.request(subscription)
        return subscription

    def publish(self, data: bytes = b"0", *, lost: bool = False) -> None:
        message = self.stream.publish(data)
        if not lost:
            self.fan_out.receive(self.topic, message)

    def run_slices(self, count: int = 10_000) -> None:
        while self.soon and count:
            self.soon.popleft()()
            count -= 1

    async def catch_up(self) -> None:
        waiting = self.recovery._waiting
        while not waiting.empty():
            await self.recovery.catch_up(waiting.get_nowait())
