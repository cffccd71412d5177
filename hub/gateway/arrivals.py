"""Subscribing: the topics of everybody who asked in one tick, in one SUBSCRIBE and one read of positions.

A storm of reconnecting clients so costs a few round trips, not a few per client. Who asks is answered through
`Asker.arrived`, with a seat for each topic or with the reason why there is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Raw, Struct
from msgspec.structs import replace

from hub.domain.errors import StoreUnavailable
from hub.domain.ids import Topic
from hub.domain.topics import Namespace, Position, TopicKind
from hub.gateway.directory import Directory
from hub.gateway.ports import Page, Stored, Topics
from hub.gateway.recovery import Recovery
from hub.gateway.subscriptions import GrantedSubscription, LiveTopic, Receiver, Subscription
from hub.observe import logger
from hub.protocol import codes, wire
from hub.protocol.client_info import decode_info
from hub.protocol.codes import CommandError

_BATCH = 500
"""Askers dealt with at once."""
_PAGE = 100
"""Publications that a reply carries at most; the rest follows as pushes."""
_READS = 16
"""Reads of streams at the same time."""
_TIMEOUT_S = 10.0
_PACE_S = 0.005
"""From the end of one batch to the next: who comes alone is served at once, and a storm comes in fewer round trips."""
_log = logger(__name__)

Seats = Mapping[Topic, tuple[Subscription, wire.SubscribeResult]]
Plan = Mapping[Topic, int]


class Asker(Receiver, Protocol):
    """Who asks for subscriptions."""

    def arrived(self, ask: Ask, outcome: Seats | CommandError) -> None:
        """Take the seats, which are attached already, or the reason why there are none."""


class Terms(Struct, frozen=True):
    """What one subscription is. `expires_s` is a Unix time, None for never.

    `ttl_s` is after how many seconds its client shall bring another token, 0 for never.
    `info` is what a token lets others see of it, `data` what one tells the client.
    """

    recoverable: bool
    positioned: bool
    join_leave: bool = False
    expires_s: int | None = None
    ttl_s: int = 0
    info: Raw | None = None
    data: Raw | None = None


def forced_terms(options: Namespace) -> Terms:
    """Return what every subscription of a namespace is, whatever is asked for."""
    recoverable = options.recoverable and options.force_recovery
    return Terms(recoverable, recoverable or (options.recoverable and options.force_positioning))


_NO_TERMS: Mapping[Topic, Terms] = {}


class Ask:
    """One wish for subscriptions: all of them or none. `since` None starts at the present.

    `terms` are of those topics only where they are not the forced ones.
    """

    __slots__ = ("asker", "command_id", "connect", "reject_unrecovered", "since", "terms")

    def __init__(
        self,
        asker: Asker,
        command_id: int,
        since: Mapping[Topic, Position | None],
        *,
        connect: bool,
        reject_unrecovered: bool = False,
        terms: Mapping[Topic, Terms] = _NO_TERMS,
    ) -> None:
        self.asker = asker
        self.command_id = command_id
        self.since = since
        self.connect = connect
        self.reject_unrecovered = reject_unrecovered
        self.terms = terms

    def recovers(self, topic: LiveTopic) -> bool:
        """Say whether the subscription to a topic is to be recoverable."""
        terms = self.terms.get(topic.name)
        if terms is None:
            return topic.recoverable and topic.options.force_recovery
        return terms.recoverable


class Arrivals:
    """Gives out subscriptions. `run` does the work."""

    def __init__(self, directory: Directory, topics: Topics, recovery: Recovery) -> None:
        self._directory = directory
        self._topics = topics
        self._recovery = recovery
        self._asks: list[Ask] = []  # Bounded by connections, each with a bounded number of subscriptions.
        self._wanted = asyncio.Event()
        self._reads = asyncio.Semaphore(_READS)

    def ask(self, ask: Ask) -> None:
        """Answer later through `ask.asker.arrived`."""
        self._asks.append(ask)
        self._wanted.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wanted.wait()
                # Not kept in a variable: while nobody comes it would hold on to those who came last.
                await self._serve(self._next_batch(), group)
                await asyncio.sleep(_PACE_S)

    def _next_batch(self) -> list[Ask]:
        batch, self._asks = self._asks[:_BATCH], self._asks[_BATCH:]
        if not self._asks:
            self._wanted.clear()
        return batch

    async def _serve(self, batch: Sequence[Ask], group: asyncio.TaskGroup) -> None:
        names = dict.fromkeys(name for ask in batch for name in ask.since)
        live = self._directory.pin(names)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._directory.enter(live.values())
                await self._look_up(batch, live)
        except (StoreUnavailable, TimeoutError) as error:
            _log.warning("arrivals_refused", count=len(batch), error=str(error))
            self._directory.unpin(live.values())
            for ask in batch:
                ask.asker.arrived(ask, codes.internal())
            return
        late: list[tuple[Ask, Plan]] = []
        for ask in batch:
            plan = _plan(ask, live)
            if plan:
                late.append((ask, plan))
            else:
                self._seat(ask, live, {})
        if late:
            group.create_task(self._seat_late(late, live))
        else:
            self._directory.unpin(live.values())

    async def _look_up(self, batch: Sequence[Ask], live: Mapping[Topic, LiveTopic]) -> None:
        """Learn the positions of topics that are new here, or of which a client knows more than this worker."""
        unsure = {topic.name for topic in live.values() if not topic.known}
        for ask in batch:
            for name, since in ask.since.items():
                if since is not None and since.offset > live[name].head:
                    unsure.add(name)
        names = [*unsure]
        for name, position in zip(names, await self._topics.positions(names) if names else (), strict=True):
            if not live[name].heard_of(position):
                self._recovery.restarted(live[name], position)

    async def _seat_late(self, asks: Sequence[tuple[Ask, Plan]], live: Mapping[Topic, LiveTopic]) -> None:
        """Read what the clients missed, each part once, and answer them."""
        try:
            wanted = dict.fromkeys(part for _, plan in asks for part in plan.items())
            pages = await asyncio.gather(*(self._read(name, start) for name, start in wanted))
            found = dict(zip(wanted, pages, strict=True))
            for ask, plan in asks:
                self._seat(ask, live, {part[0]: found[part] for part in plan.items()})
        except (StoreUnavailable, TimeoutError) as error:
            _log.warning("arrivals_refused", count=len(asks), error=str(error))
            for ask, _ in asks:
                ask.asker.arrived(ask, codes.internal())
        finally:
            self._directory.unpin(live.values())

    async def _read(self, name: Topic, start: int) -> Page:
        async with self._reads, asyncio.timeout(_TIMEOUT_S):
            return await self._topics.read_since(name, start, limit=_PAGE)

    def _seat(self, ask: Ask, live: Mapping[Topic, LiveTopic], pages: Mapping[Topic, Page]) -> None:
        starts = {
            name: start_of(live[name], since, pages.get(name), recoverable=ask.recovers(live[name]))
            for name, since in ask.since.items()
        }
        if ask.reject_unrecovered and any(start.was_recovering and not start.recovered for start in starts.values()):
            ask.asker.arrived(ask, codes.unrecoverable_position())
            return
        seats: dict[Topic, tuple[Subscription, wire.SubscribeResult]] = {}
        for name, start in starts.items():
            topic, terms = live[name], ask.terms.get(name)
            seat = _seat(ask, topic, terms, offset=start.offset)
            topic.add(seat)
            # What is recoverable by force, which is nearly everything, is told as it is.
            plain = terms is None and start.recoverable
            seats[name] = seat, start if plain else told(start, terms or forced_terms(topic.options))
        ask.asker.arrived(ask, seats)
        # After the reply: what is missing up to now follows as pushes.
        for seat, _ in seats.values():
            self._recovery.request(seat)


def _seat(ask: Ask, topic: LiveTopic, terms: Terms | None, *, offset: int) -> Subscription:
    if terms is None:
        return Subscription(ask.asker, topic, offset=offset, server_side=ask.connect)
    if terms.expires_s is None and terms.info is None:
        seat = Subscription(ask.asker, topic, offset=offset, server_side=ask.connect)
    else:
        seat = GrantedSubscription(
            ask.asker,
            topic,
            offset=offset,
            server_side=ask.connect,
            expires_s=terms.expires_s,
            info=terms.info,
        )
    if terms.join_leave:
        topic.listen(seat)
    return seat


def _plan(ask: Ask, live: Mapping[Topic, LiveTopic]) -> Plan:
    """Return the topics of which a reply needs a page of the stream, with the offset after which it begins."""
    found = {
        name: _page_from(live[name], since if ask.recovers(live[name]) else None) for name, since in ask.since.items()
    }
    return {name: start for name, start in found.items() if start is not None}


def _page_from(topic: LiveTopic, since: Position | None) -> int | None:
    if not topic.recoverable or topic.head == 0:
        return None
    if topic.kind is TopicKind.LATEST:
        # The value that stands is part of every start, unless the client has it.
        return None if since == topic.position else topic.head - 1
    if since is None or since.epoch != topic.epoch or since.offset >= topic.head:
        return None
    return since.offset


def told(start: wire.SubscribeResult, terms: Terms) -> wire.SubscribeResult:
    """Return what a client is told of its start, which is less where it has not asked for more."""
    if start.epoch and not terms.positioned:
        start = replace(start, epoch="", offset=0, positioned=False)
    if terms.ttl_s:
        start = replace(start, expires=True, ttl=terms.ttl_s)
    return start if terms.data is None else replace(start, data=terms.data)


def start_of(
    topic: LiveTopic, since: Position | None, page: Page | None, *, recoverable: bool = True
) -> wire.SubscribeResult:
    """Return where a subscriber starts that knew everything up to `since`.

    With `recovered` the publications of the result, and what follows live, join without a hole to what the client had;
    of a broadcast topic, without the part that has expired. Of a latest topic the value that stands is all there is.
    """
    if not topic.recoverable:
        return wire.SubscribeResult("", 0, was_recovering=since is not None)
    publications: tuple[wire.Publication, ...] = ()
    was_recovering = since is not None
    since = since if recoverable else None
    recovered = since is not None and _reachable(topic, since)
    # More may have come since it was seen that no page is needed: that follows as pushes.
    offset = since.offset if since is not None and recovered else topic.head
    if page is not None and page.position.epoch == topic.epoch and (page.complete or topic.kind is not TopicKind.LOG):
        publications = tuple(publication_of(stored) for stored in page.publications)
        if topic.kind is TopicKind.LATEST:
            publications = publications[-1:]
            recovered = since is not None and bool(publications)
        offset = publications[-1].offset if publications else topic.head
    elif page is not None:
        recovered = False
        offset = topic.head
    return wire.SubscribeResult(
        topic.epoch,
        offset,
        recoverable=recoverable,
        positioned=True,
        publications=publications,
        was_recovering=was_recovering,
        recovered=recovered,
    )


def publication_of(stored: Stored) -> wire.Publication:
    """Return a publication of a stream as a client is told it."""
    info = decode_info(stored.info) if stored.info else None
    return wire.Publication(Raw(stored.data), stored.offset, info)


def _reachable(topic: LiveTopic, since: Position) -> bool:
    """Say whether a position belongs to the topic's present life. An empty epoch stands for its very beginning."""
    if since.epoch == topic.epoch:
        return since.offset <= topic.head
    return not since.epoch and since.offset == 0 and topic.head == 0
