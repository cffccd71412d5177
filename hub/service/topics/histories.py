"""`topics.history` and `topics.history_remove`: a service looks at what a topic has kept, or has it forgotten."""

from __future__ import annotations

from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from hub.domain.errors import InputError
from hub.domain.ids import Epoch, Topic
from hub.domain.topics import MAX_TOPIC_LENGTH, Position
from hub.service.operations import SERVICES, AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.service.topics.service_topics import ServiceTopics
from hub.store.topics import Page

MAX_PAGE = 1_000

ChannelName = Annotated[str, Meta(min_length=1, max_length=MAX_TOPIC_LENGTH)]


class Topics(Protocol):
    """The streams (hub.store.topics). Every method raises StoreUnavailable."""

    async def history(self, topic: Topic, *, since: Position | None, limit: int, reverse: bool) -> Page:
        """Return a page of a topic's stream, from its start, its end or `since`."""
        ...

    async def forget(self, topic: Topic, /) -> None:
        """Delete a topic's stream."""
        ...


class StreamPosition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in a topic's stream."""

    offset: Annotated[int, Meta(ge=0, le=2**53)] = 0
    epoch: Annotated[str, Meta(max_length=64)] = ""


class ReadHistory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which part: after `since` or from the oldest; in `reverse`, before it or from the newest."""

    channel: ChannelName
    limit: Annotated[int, Meta(ge=-1, le=MAX_PAGE)] = 0
    """0 asks for the position only, -1 for as much as there is, up to 1,000."""
    since: StreamPosition | None = None
    reverse: bool = False


class KeptPublication(msgspec.Struct, frozen=True):
    """One publication as it was published."""

    data: msgspec.Raw
    offset: int


class History(msgspec.Struct, frozen=True):
    """A part of the stream, and its top."""

    publications: tuple[KeptPublication, ...]
    offset: int
    epoch: str


class RemoveHistory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose history to delete."""

    channel: ChannelName


class Nothing(msgspec.Struct, frozen=True):
    """It is done; there is nothing to say about it."""


class Histories:
    """Shows services what topics keep."""

    def __init__(self, topics: Topics, access: ServiceTopics) -> None:
        self._topics = topics
        self._access = access

    async def read(self, _: Call, request: ReadHistory) -> History:
        """Return one page. Raises InputError, OperationFailed (FORBIDDEN), StoreUnavailable."""
        topic = self._access.readable(request.channel, field="channel")
        since = None if request.since is None else Position(Epoch(request.since.epoch), request.since.offset)
        limit = request.limit if request.limit >= 0 else MAX_PAGE
        page = await self._topics.history(topic, since=since, limit=limit, reverse=request.reverse)
        now = page.position
        if not now.epoch:
            raise InputError("channel", "keeps no history")
        if since is not None and since.epoch and since.epoch != now.epoch:
            raise InputError("since.epoch", f"the topic has begun anew since then; its epoch is {now.epoch}")
        kept = tuple(KeptPublication(msgspec.Raw(each.data), each.offset) for each in page.publications)
        return History(kept, now.offset, now.epoch)

    async def remove(self, _: Call, request: RemoveHistory) -> Nothing:
        """Delete what a topic has kept. Raises InputError, OperationFailed (FORBIDDEN), StoreUnavailable."""
        await self._topics.forget(self._access.publishable(request.channel, field="channel"))
        return Nothing()

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what services can ask for here."""
        read: Operation[ReadHistory, History] = Operation(
            name="topics.history",
            summary="Read what a topic has kept, or only where it stands.",
            request=ReadHistory,
            response=History,
            roles=SERVICES,
            http=Http("POST", "/v1/topics/history"),
            handler=self.read,
            rate=Rate(count=2_000, window_s=10.0),
            repeat=Repeat.READS,
        )
        remove: Operation[RemoveHistory, Nothing] = Operation(
            name="topics.history_remove",
            summary="Delete what a topic has kept. Offsets go on; who is behind is told that it missed something.",
            request=RemoveHistory,
            response=Nothing,
            roles=SERVICES,
            http=Http("POST", "/v1/topics/history_remove"),
            handler=self.remove,
            rate=Rate(count=1_000, window_s=10.0),
            repeat=Repeat.IDEMPOTENT,
        )
        return (read, remove)
