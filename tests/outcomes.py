"""What a test does at both ends of the outcomes: make some happen, and read what Kafka was told."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Self

import msgspec
from aiokafka import AIOKafkaConsumer

from hub.app import Stores
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import EntryState, InboxEntry
from hub.domain.outcomes import OutcomeEvent

_STATES = (EntryState.SEEN, EntryState.READ, EntryState.ARCHIVED)
OUTCOMES_EACH = 1 + len(_STATES)


async def happen(stores: Stores, names: Sequence[str]) -> None:
    """Have four things happen to the one notification of each person."""
    pairs = [
        (UserId(f"user-{name}"), InboxEntry(NotificationId(name), "order.packed", "orders", "T", "B", 5))
        for name in names
    ]
    await stores.inbox.add_many(pairs)
    for state in _STATES:
        await asyncio.gather(*(stores.inbox.mark(user, [entry.id], state) for user, entry in pairs))


class Told:
    """All that a topic has been told, from its beginning on. Use as `async with`."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.events: list[OutcomeEvent] = []
        self._consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", metadata_max_age_ms=500
        )

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    @property
    def distinct(self) -> int:
        return len({event.id for event in self.events})

    async def until(self, count: int, *, within_s: float = 60.0) -> None:
        """Read until so many different outcomes have been told."""
        async with asyncio.timeout(within_s):
            while self.distinct < count:
                await self._read()

    async def to_the_end(self, *, within_s: float = 60.0) -> None:
        """Read all that the topic holds now: what was told twice can be the last of it."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        async with asyncio.timeout(within_s):
            while any([await self._consumer.position(partition) < end for partition, end in ends.items()]):
                await self._read()

    async def _read(self) -> None:
        records = await self._consumer.getmany(timeout_ms=200)
        for record in (record for part in records.values() for record in part):
            assert dict(record.headers)["content-type"].startswith(b"application/cloudevents+json")
            event = msgspec.json.decode(record.value, type=OutcomeEvent)
            assert record.key.decode() == event.subject
            self.events.append(event)

    def kinds(self) -> dict[str, list[str]]:
        """The kinds of each notification's outcomes in the order in which they were first told."""
        first: dict[str, dict[str, None]] = defaultdict(dict)
        for event in self.events:
            first[event.subject].setdefault(f"{event.sequence} {event.type.value}")
        return {notification: list(kinds) for notification, kinds in first.items()}


IN_ORDER = [
    "000001 notification.created",
    "000002 notification.seen",
    "000003 notification.read",
    "000004 notification.archived",
]
