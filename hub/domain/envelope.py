"""An event in its envelope, and where it came from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

import msgspec

from hub.domain.events import Payload
from hub.domain.ids import EventKey, event_key

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Source(StrEnum):
    """A way in."""

    KAFKA = "kafka"
    RABBITMQ = "rabbitmq"
    HTTP = "http"


class Origin(msgspec.Struct, frozen=True):
    """Where an event was read: `Origin(Source.KAFKA, "orders/3/1842")` is a topic, partition and offset."""

    source: Source
    place: str

    def __str__(self) -> str:
        return f"{self.source}:{self.place}"


class Event(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A fact from a backend, decoded and checked. `source` and `id` together are its identity (CloudEvents 1.0)."""

    id: str
    source: str
    type: str
    """One of `hub.domain.events.PAYLOADS`, without any prefix the producer put before it."""
    time_ms: int
    """When it happened by the producer's clock, Unix ms; when it was received where the producer does not say."""
    data: Payload
    received_ms: int = 0
    """When it reached Doorbell, Unix ms."""
    subject: str | None = None
    correlation_id: str = ""

    @cached_property
    def key(self) -> EventKey:
        """The event's identity in 32 hex digits."""
        return event_key(self.source, self.id)


class Incoming(msgspec.Struct, frozen=True):
    """An event together with where it was read."""

    event: Event
    origin: Origin


class Rejected(msgspec.Struct, frozen=True):
    """What could not be decoded, as it came. `field` names the culprit: `data.total.currency`, `time`, `body`."""

    origin: Origin
    reason: str
    field: str
    body: bytes
    content_type: str = ""
    attributes: dict[str, str] = {}
    """The attributes of an event in binary mode, without which `body` alone could not be tried again."""


def unix_ms(instant: datetime) -> int:
    """Return an aware instant as whole Unix milliseconds, rounded down."""
    return (instant - _EPOCH) // _MILLISECOND


def instant(time_ms: int) -> datetime:
    """Return Unix milliseconds as an instant in UTC."""
    return _EPOCH + time_ms * _MILLISECOND
