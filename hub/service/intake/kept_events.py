"""Events that are put aside: how a parked event is kept, and how one becomes a dead letter that can be tried again."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from hub.domain.cloudevents import decode_structured, encode_structured
from hub.domain.envelope import Event, Incoming, Origin, Rejected
from hub.store.dead_letters import DeadLetter

STRUCTURED = "application/cloudevents+json"


class _Kept(msgspec.Struct, frozen=True):
    """A parked event in Redis."""

    origin: Origin
    received_ms: int
    event: msgspec.Raw
    """A CloudEvent in structured mode."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Kept).decode


def encode(incoming: Incoming) -> bytes:
    """Return a decoded event as it is parked: the same bytes for the same event, wherever it came from first."""
    event = msgspec.Raw(encode_structured(incoming.event))
    return _encode(_Kept(incoming.origin, incoming.event.received_ms, event))


def decode(body: bytes) -> Incoming:
    """Return the event that was parked."""
    kept = _decode(body)
    event = decode_structured(bytes(kept.event), received_ms=kept.received_ms)
    if not isinstance(event, Event):  # What was parked had a known type; only a downgrade can have lost it.
        raise TypeError(f"a parked event has the unknown type {event.type}")
    return Incoming(event, kept.origin)


def letter_of(rejected: Rejected, *, at_ms: int) -> DeadLetter:
    """Return the dead letter of what could not be decoded; read from the same place again it is the same letter."""
    digest = blake2b(str(rejected.origin).encode() + b"\x1f" + rejected.body, digest_size=16)
    return DeadLetter(
        id=digest.hexdigest(),
        origin=str(rejected.origin),
        reason=rejected.reason,
        field=rejected.field,
        body=rejected.body,
        at_ms=at_ms,
        content_type=rejected.content_type,
        attributes=rejected.attributes,
    )


def letter_of_event(incoming: Incoming, *, reason: str, at_ms: int) -> DeadLetter:
    """Return the dead letter of an event that was decoded but cannot be carried out."""
    return DeadLetter(
        id=incoming.event.key,
        origin=str(incoming.origin),
        reason=reason,
        field="",
        body=encode_structured(incoming.event),
        at_ms=at_ms,
        content_type=STRUCTURED,
    )
