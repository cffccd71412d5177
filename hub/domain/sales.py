"""A sale: scheduled, started, ended or cancelled, with its title, its times and its offer.

Every event of a sale may be the first that is heard of it. The furthest state wins; while a sale is only scheduled, the
newest word on it counts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from hub.domain.envelope import Event, unix_ms
from hub.domain.events import AnySale, SaleCancelled
from hub.domain.ids import EventKey, SaleId
from hub.domain.updates import SaleUpdate

MAX_ENTRIES = 20
Standing = tuple[int, int, int, int]


class SaleStatus(StrEnum):
    """The states of a sale."""

    SCHEDULED = "scheduled"
    STARTED = "started"
    ENDED = "ended"
    CANCELLED = "cancelled"


class SaleEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event of a sale as it was applied. `update` is None where the event was stale and nobody was told."""

    event: EventKey
    applied_ms: int
    received_ms: int = 0
    rank: int = 0
    update: SaleUpdate | None = None

    @property
    def announced(self) -> bool:
        """Whether anybody was told."""
        return self.update is not None


class Sale(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sale as it is kept. `standing` orders its states. Times are Unix ms."""

    id: SaleId
    status: SaleStatus
    standing: Standing
    title: str | None = None
    starts_ms: int | None = None
    ends_ms: int | None = None
    offer: dict[str, Any] | None = None
    rank: int = 0
    """Counts what was announced; orders the values of the sale's topic."""
    timeline: tuple[SaleEntry, ...] = ()


_decoder = msgspec.json.Decoder(Sale)
_encoder = msgspec.json.Encoder()


def decode_sale(body: bytes) -> Sale:
    """Decode the document of a sale."""
    return _decoder.decode(body)


def encode_sale(sale: Sale) -> bytes:
    """Encode a sale as the body of its document."""
    return _encoder.encode(sale)


def advance_sale(sale: Sale | None, event: Event, data: AnySale, *, now_ms: int) -> Sale:
    """Return the sale after an event it has not seen; `sale` is None before the first.

    The last 20 entries of the timeline are kept, and the event's own is the last of them.
    """
    status = SaleStatus(event.type.removeprefix("sale."))
    standing = _standing(status, version=data.version or 0, time_ms=event.time_ms)
    if sale is not None and standing <= sale.standing:
        stale = SaleEntry(event.key, now_ms)
        return msgspec.structs.replace(sale, timeline=(*sale.timeline, stale)[-MAX_ENTRIES:])
    moved = Sale(
        id=data.sale_id,
        status=status,
        standing=standing,
        title=data.title or (sale.title if sale else None),
        starts_ms=unix_ms(data.starts_at) if data.starts_at else (sale.starts_ms if sale else None),
        ends_ms=unix_ms(data.ends_at) if data.ends_at else (sale.ends_ms if sale else None),
        offer=data.offer if data.offer is not None else (sale.offer if sale else None),
        rank=sale.rank + 1 if sale else 1,
    )
    entry = SaleEntry(event.key, now_ms, event.received_ms, moved.rank, _update(moved, event, data))
    return msgspec.structs.replace(moved, timeline=(*(sale.timeline if sale else ()), entry)[-MAX_ENTRIES:])


def _standing(status: SaleStatus, *, version: int, time_ms: int) -> Standing:
    match status:
        case SaleStatus.SCHEDULED:
            return (0, version, 0, time_ms)
        case SaleStatus.STARTED:
            return (0, version, 1, 0)
        case SaleStatus.ENDED:
            return (1, 0, 0, 0)
        case SaleStatus.CANCELLED:
            return (2, 0, 0, 0)


def _update(sale: Sale, event: Event, data: AnySale) -> SaleUpdate:
    return SaleUpdate(
        event.type,
        event.key,
        sale.id,
        sale.status,
        event.time_ms,
        title=sale.title,
        starts_at=sale.starts_ms,
        ends_at=sale.ends_ms,
        offer=sale.offer,
        reason=data.reason if isinstance(data, SaleCancelled) else None,
    )
