"""An ingest that writes down what it is given, and can be told to be slow, down, restarted or broken."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hub.domain.envelope import Incoming, Rejected
from hub.domain.errors import StoreUnavailable


@dataclass
class RecordingIngest:
    """Stands for Redis and everything that writes to it."""

    life: str = "first-life"
    dies_after: int = 0
    """So many events later Redis is restarted: it has another life. 0: never."""
    down: bool = False
    delay_s: float = 0.0
    poison: frozenset[str] = frozenset()
    """Ids of events at which processing fails with a programming error."""
    seen: list[str] = field(default_factory=list)
    """Ids of events in the order of their processing, repetitions included."""
    places: list[str] = field(default_factory=list)
    in_hand: int = 0
    """Batches being processed right now."""
    asked: int = 0
    """How often anybody wanted to know which life it is: each look through the ledger begins with that."""
    letters: list[Rejected] = field(default_factory=list)

    async def process(self, batch: Sequence[Incoming], /) -> None:
        self._require_up()
        self.in_hand += 1
        try:
            await asyncio.sleep(self.delay_s)
        finally:
            self.in_hand -= 1
        self._require_up()
        for incoming in batch:
            if incoming.event.id in self.poison:
                raise LookupError(incoming.event.id)
        self.seen += [incoming.event.id for incoming in batch]
        self.places += [incoming.origin.place for incoming in batch]
        if self.dies_after and len(self.seen) >= self.dies_after:
            self.life, self.dies_after = "second-life", 0

    async def reject(self, letters: Sequence[Rejected], /) -> None:
        self._require_up()
        self.letters += letters

    async def generation(self) -> str:
        self._require_up()
        self.asked += 1
        return self.life

    def _require_up(self) -> None:
        if self.down:
            raise StoreUnavailable("refused")

    @property
    def repeated(self) -> set[str]:
        """Ids that were processed more than once."""
        return {event for event, times in Counter(self.seen).items() if times > 1}

    def first_times(self) -> list[str]:
        """Ids in the order in which they were processed for the first time."""
        return list(dict.fromkeys(self.seen))


def event_body(event_id: str, *, order: str = "o1") -> bytes:
    """A good event in structured mode."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/shop",
        "type": "order.packed",
        "data": {"order_id": order},
    }
    return json.dumps(event).encode()


def ids(prefix: str, count: int) -> list[str]:
    """So many ids: `prefix-0000`, `prefix-0001` and so on."""
    return [f"{prefix}-{number:04}" for number in range(count)]


def by_prefix(events: Sequence[str]) -> dict[str, list[str]]:
    """Ids by the part before the number, each in the given order."""
    grouped = defaultdict(list)
    for event in events:
        grouped[event.rpartition("-")[0]].append(event)
    return dict(grouped)


async def until(reached: Callable[[], bool], *, within_s: float = 30.0) -> None:
    """Wait for something that is about to be the case."""
    async with asyncio.timeout(within_s):
        while not reached():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.02)


async def looked_through(ingest: RecordingIngest, *, times: int = 5) -> None:
    """Wait until the ledger has been looked through so often again."""
    before = ingest.asked
    await until(lambda: ingest.asked >= before + times)
