"""Deliveries and stores made of plain objects."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from consumers.batch import Batch, decode_all
from consumers.decode import Decoded, decode_structured
from hub.domain.envelope import Incoming, Origin, Rejected, Source
from hub.domain.errors import InputError, StoreUnavailable

NOW_MS = 1_760_000_000_000


def good(event_id: str, event_type: str = "order.packed") -> bytes:
    event = {"specversion": "1.0", "id": event_id, "source": "/shop", "type": event_type, "data": {"order_id": "o1"}}
    return json.dumps(event).encode()


@dataclass(frozen=True)
class FakeDelivery:
    body: bytes
    place: str = "orders/0/7"
    content_type: str = "application/cloudevents+json"
    bad_attributes: bool = False
    bug: bool = False

    @property
    def origin(self) -> Origin:
        return Origin(Source.KAFKA, self.place)

    def attributes(self) -> Mapping[str, str]:
        if self.bad_attributes:
            raise InputError("ce_id", "not UTF-8 at byte 0")
        return {"datacontenttype": self.content_type}

    def decode(self, *, received_ms: int) -> Decoded:
        if self.bug:
            raise RecursionError
        self.attributes()
        return decode_structured(self.body, received_ms=received_ms)


def batch_of(*bodies: bytes) -> Batch:
    deliveries = [FakeDelivery(body, place=f"orders/0/{offset}") for offset, body in enumerate(bodies)]
    return decode_all(deliveries, source=Source.KAFKA, received_ms=NOW_MS)


@dataclass
class FakeIngest:
    """Fails as told: the next `outages` calls find no Redis; events in `poison` break the program."""

    outages: int = 0
    poison: frozenset[str] = frozenset()
    life: str = "first"
    processed: list[str] = field(default_factory=list)
    letters: list[Rejected] = field(default_factory=list)

    async def process(self, batch: Sequence[Incoming], /) -> None:
        self._go_out()
        if bad := self.poison & {incoming.event.id for incoming in batch}:
            raise LookupError(bad)
        self.processed += [incoming.event.id for incoming in batch]

    async def reject(self, letters: Sequence[Rejected], /) -> None:
        self._go_out()
        self.letters += letters

    async def generation(self) -> str:
        self._go_out()
        return self.life

    def _go_out(self) -> None:
        if self.outages:
            self.outages -= 1
            raise StoreUnavailable("refused")
