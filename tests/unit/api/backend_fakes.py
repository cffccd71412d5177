"""Fakes of what the operations for backends need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hub.domain.decisions import Publication
from hub.domain.directives import Directive
from hub.domain.ids import EffectId, Epoch, Topic
from hub.domain.topics import Namespace, Namespaces, Position, TopicKind
from hub.store.presence import PresenceStats
from hub.store.topics import Duplicate, Page, Published, PublishResult, StaleRank, Stored
from hub.store.workers import WorkerFacts

NAMESPACES = Namespaces(
    (Namespace("room", presence=True), Namespace("gauge", TopicKind.LATEST), Namespace("fleeting", history_size=0))
)


class FakeTopics:
    """Keeps publications by topic; one id is published once."""

    def __init__(self) -> None:
        self.published: list[Publication] = []
        self.forgotten: list[Topic] = []
        self._first: dict[EffectId, Published] = {}

    def options(self, topic: Topic, /) -> Namespace:
        found = NAMESPACES.of(topic)
        assert found is not None
        return found

    async def publish_many(self, publications: Sequence[Publication], /) -> list[PublishResult]:
        return [self._publish(publication) for publication in publications]

    def _publish(self, publication: Publication) -> PublishResult:
        if publication.id in self._first:
            return Duplicate(self._first[publication.id])
        if publication.rank == 1:
            return StaleRank()
        self.published.append(publication)
        return self._first.setdefault(publication.id, Published(len(self.published), Epoch("e")))

    async def history(self, topic: Topic, *, since: Position | None, limit: int, reverse: bool) -> Page:
        if topic.startswith("fleeting"):
            return Page(Position(Epoch(""), 0), (), complete=False)
        kept = tuple(Stored(n, b'{"n": %d}' % n) for n in range(1, 4))
        return Page(Position(Epoch("e"), 3), kept[:limit], complete=True)

    async def forget(self, topic: Topic, /) -> None:
        self.forgotten.append(topic)


class FakeLog:
    """Remembers what workers were told, once for each id."""

    def __init__(self) -> None:
        self.told: dict[EffectId, Directive] = {}

    async def tell(self, directives: Iterable[tuple[EffectId, Directive]], /, *, now_ms: int) -> None:
        self.told |= dict(directives)

    @property
    def last(self) -> Directive:
        return [*self.told.values()][-1]


class FakeMembers:
    """Ann is everywhere."""

    async def members(self, topic: Topic, /) -> Mapping[str, bytes]:
        return {"c1": b'{"user":"ann","client":"c1","conn_info":{"name":"Ann"}}'}

    async def stats(self, topic: Topic, /) -> PresenceStats:
        return PresenceStats(2, 1)


class FakeWorkers:
    """One worker, started a minute ago."""

    async def alive(self) -> Sequence[WorkerFacts]:
        return [WorkerFacts("w1", "host-1", "1.2", 940_000, clients=3, users=2, topics=4, subscriptions=9)]
