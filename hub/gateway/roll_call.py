"""Who of this worker is subscribed to topics with presence or joins and leaves, told to the store.

Changes are told in batches, one after the other: what a client did last is what the store has. All that are there are
told again every third of the time that an entry lives. There is one task and one timer for all of it, and nothing is
kept for a connection: a topic's subscribers are who is there.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from hub.domain.errors import StoreUnavailable
from hub.domain.ids import UserId
from hub.gateway.subscriptions import LiveTopic, Subscription, seen_of
from hub.observe import logger
from hub.protocol.client_info import encode_info
from hub.store.presence import Attendance, Member
from hub.store.scripts import ScriptFailed

_BATCH = 500
"""Clients told in one round trip."""
_RETRY_S = 0.5
_TIMEOUT_S = 10.0
_LAST_TIMEOUT_S = 2.0
_log = logger(__name__)

_Changes = Mapping[tuple[LiveTopic, str], Member | None]


class Store(Protocol):
    """Where it is kept who is there: `hub.store.presence.Presence`."""

    async def change_many(self, attendances: Sequence[Attendance]) -> None:
        """Tell who is there and who is not. Raises StoreUnavailable; tell it again then."""
        ...


class RollCall:
    """Keeps the presence of this worker's clients true. `run` does the work."""

    def __init__(self, store: Store, *, interval_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Take `interval_s`, after which everybody who is there is told again."""
        self._store = store
        self._interval_s = interval_s
        self._clock_s = clock_s
        self._changes: dict[tuple[LiveTopic, str], Member | None] = {}  # Bounded by the worker's subscriptions.
        self._attended: set[LiveTopic] = set()
        self._wanted = asyncio.Event()
        self._next_s = clock_s() + interval_s

    def came(self, subscription: Subscription) -> None:
        """Take note of a new subscription, whose topic is attended."""
        member = _member(subscription)
        self._attended.add(subscription.topic)
        self._note(subscription.topic, member.client, member)

    def left(self, subscription: Subscription) -> None:
        """Take note that a subscription has ended."""
        self._note(subscription.topic, seen_of(subscription).client, None)

    def _note(self, topic: LiveTopic, client: str, member: Member | None) -> None:
        # The last word counts, and it is told after what others have said meanwhile.
        self._changes.pop((topic, client), None)
        self._changes[topic, client] = member
        self._wanted.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                async with asyncio.timeout(max(0.0, self._next_s - self._clock_s())):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            try:
                await self.tell_changes()
                if self._clock_s() >= self._next_s:
                    await self.call()
                    self._next_s = self._clock_s() + self._interval_s
            except (StoreUnavailable, TimeoutError) as error:
                _log.warning("presence_delayed", error=str(error))
                await asyncio.sleep(_RETRY_S)
            except ScriptFailed:
                # Something is wrong with one topic's keys: what else was in the batch is told with the next roll.
                _log.exception("presence_failed")
                self._next_s = self._clock_s() + self._interval_s

    async def tell_changes(self) -> None:
        """Tell who has come and who has left. Raises StoreUnavailable, TimeoutError; call it again then."""
        while self._changes:
            batch = dict(itertools.islice(self._changes.items(), _BATCH))
            for change in batch:
                del self._changes[change]
            try:
                await self._tell(_attendances(batch))
            except (StoreUnavailable, TimeoutError, asyncio.CancelledError):
                self._changes = batch | self._changes
                raise
        self._wanted.clear()

    async def call(self) -> None:
        """Tell everybody who is there. Raises StoreUnavailable, TimeoutError; call it again then."""
        there = self._there()
        while batch := [*itertools.islice(there, _BATCH)]:
            members = [(each.topic, _member(each)) for each in batch if each.attached]
            await self._tell(_attendances({(topic, member.client): member for topic, member in members}))
            # Whoever has left since is taken out after it.
            await self.tell_changes()

    def _there(self) -> Iterator[Subscription]:
        for topic in [*self._attended]:
            if topic.subscribers:
                yield from [*topic.subscribers]
            else:
                self._attended.discard(topic)

    async def _tell(self, attendances: Sequence[Attendance]) -> None:
        async with asyncio.timeout(_TIMEOUT_S):
            await self._store.change_many(attendances)

    async def close(self) -> None:
        """Tell who has left, if that is quickly done: else their entries end by themselves."""
        try:
            async with asyncio.timeout(_LAST_TIMEOUT_S):
                await self.tell_changes()
        except (StoreUnavailable, TimeoutError) as error:
            _log.info("presence_not_told", error=str(error))


def _member(subscription: Subscription) -> Member:
    info = seen_of(subscription)
    return Member(info.client, UserId(info.user), encode_info(info))


def _attendances(changes: _Changes) -> list[Attendance]:
    there: dict[LiveTopic, list[Member]] = {}
    left: dict[LiveTopic, list[str]] = {}
    for (topic, client), member in changes.items():
        if member is None:
            left.setdefault(topic, []).append(client)
        else:
            there.setdefault(topic, []).append(member)
    topics = dict.fromkeys((*left, *there))
    return [Attendance(topic.name, there.get(topic, ()), left.get(topic, ())) for topic in topics]
