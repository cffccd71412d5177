"""`events.publish`: events from a service over HTTP or `rpc`, by the same rules as over a broker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Protocol, assert_never

import msgspec

from hub.domain.bindings import decode_http
from hub.domain.cloudevents import Decoded, Unknown
from hub.domain.decisions import Outcome
from hub.domain.envelope import Event, Incoming, Origin, Rejected, Source
from hub.domain.errors import InputError, TooLarge
from hub.domain.strict_json import WHOLE
from hub.observe import CONSUMED
from hub.service.failures import Failure, FieldProblem, OperationFailed
from hub.service.operations import KIB, SERVICES, AnyOperation, Call, Document, Http, Media, Operation, Repeat
from hub.service.rate import Rate

MAX_BATCH_BYTES = 1_024 * KIB
_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_JSON = "application/json"
_TOLD_ERRORS = 20
"""Of a batch without one valid event, so many mistakes are told."""


class Ingest(Protocol):
    """Turns events into effects in Redis; every effect is written when it returns. Raises StoreUnavailable."""

    async def process(self, batch: Sequence[Incoming], /) -> Sequence[Outcome]:
        """Return what became of each event."""
        ...

    async def reject(self, letters: Sequence[Rejected], /) -> None:
        """Put aside what could not be decoded."""
        ...


class EventStatus(StrEnum):
    """What became of one event."""

    ACCEPTED = "accepted"
    """Its effects are written."""
    DUPLICATE = "duplicate"
    """It was accepted before; nothing happens again."""
    STALE = "stale"
    """Something newer is known: recorded, announced to nobody."""
    PARKED = "parked"
    """Kept until the order or shipment it talks about appears."""
    IGNORED = "ignored"
    """Not of a type that Doorbell handles."""
    REJECTED = "rejected"
    """Not valid, or contradicts what is known: a dead letter. `field` and `problem` say why, where known."""


_STATUS = {
    Outcome.APPLIED: EventStatus.ACCEPTED,
    Outcome.REPLAYED: EventStatus.DUPLICATE,
    Outcome.DUPLICATE: EventStatus.DUPLICATE,
    Outcome.STALE: EventStatus.STALE,
    Outcome.PARKED: EventStatus.PARKED,
    Outcome.IGNORED: EventStatus.IGNORED,
    Outcome.REJECTED: EventStatus.REJECTED,
}


class EventResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of the event at the same place in the request. `id` is its own, empty where it could not be read."""

    status: EventStatus
    id: str = ""
    field: str = ""
    problem: str = ""


class PublishResult(msgspec.Struct, frozen=True):
    """One result for each event, in the order of the request."""

    results: tuple[EventResult, ...]


class Events:
    """Takes events from services."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    async def publish(self, call: Call, request: Document) -> PublishResult:
        """Write every effect of one event or a batch, then say what became of each.

        The events of a batch stand alone: one that is not valid keeps no other from being written, and becomes a dead
        letter. Where there is no valid one at all, nothing is kept and the caller is told. Sending again is harmless.
        Raises InputError, TooLarge, OperationFailed, StoreUnavailable.
        """
        decoded = decode_http(request.headers, request.body, received_ms=call.now_ms)
        errors = [item for item in decoded if isinstance(item, InputError)]
        if not decoded:
            raise InputError(WHOLE, "the batch is empty")
        if len(errors) == len(decoded):
            raise _all_invalid(errors)
        places = [Origin(Source.HTTP, f"{call.who.user}/{call.correlation_id}/{n}") for n in range(len(decoded))]
        batch = [Incoming(item, place) for item, place in zip(decoded, places, strict=True) if isinstance(item, Event)]
        outcomes = iter(await self._ingest.process(batch))
        if errors:
            await self._ingest.reject(_letters(request, decoded, places))
        results = tuple(_result(item, outcomes) for item in decoded)
        for result in results:
            CONSUMED.labels(Source.HTTP.value, result.status.value).inc()
        return PublishResult(results)

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what services can ask for here."""
        publish: Operation[Document, PublishResult] = Operation(
            name="events.publish",
            summary="Publish one event or a batch. Answers when every effect is written; each event gets a result.",
            request=Document,
            response=PublishResult,
            roles=SERVICES,
            http=Http("POST", "/v1/events", status=202),
            handler=self.publish,
            rate=Rate(count=20_000, window_s=10.0),
            repeat=Repeat.KEYED,
            media=_media(),
            max_body_bytes=MAX_BATCH_BYTES,
        )
        return (publish,)


def _all_invalid(errors: Sequence[InputError]) -> OperationFailed:
    first = errors[0]
    failure = Failure.TOO_LARGE if isinstance(first, TooLarge) else Failure.BAD_REQUEST
    told = [FieldProblem(error.field, error.problem) for error in errors[:_TOLD_ERRORS]]
    return OperationFailed(failure, f"no event of the batch is valid: {first}", errors=told)


def _result(item: Decoded | InputError, outcomes: Iterator[Outcome]) -> EventResult:
    match item:
        case Event():
            return EventResult(_STATUS[next(outcomes)], item.id)
        case Unknown():
            return EventResult(EventStatus.IGNORED, problem=f"{item.type} is no type that is handled here")
        case InputError():
            return EventResult(EventStatus.REJECTED, field=item.field, problem=item.problem)
        case _:
            assert_never(item)


def _letters(request: Document, decoded: Sequence[Decoded | InputError], places: Sequence[Origin]) -> list[Rejected]:
    """Return the dead letters of a batch; it is an array, because other requests have no mixture of good and bad."""
    bodies = msgspec.json.decode(request.body, type=list[msgspec.Raw])
    return [
        Rejected(place, reason=item.problem, field=item.field, body=bytes(body), content_type=_STRUCTURED)
        for item, place, body in zip(decoded, places, bodies, strict=True)
        if isinstance(item, InputError)
    ]


def _media() -> tuple[Media, ...]:
    event = {"$ref": "#/components/schemas/CloudEvent"}
    return (
        Media(_STRUCTURED, event, "One event in structured mode."),
        Media(_BATCH, {"type": "array", "items": event, "minItems": 1}, "Up to 1,000 events; each stands alone."),
        Media(_JSON, {}, "One event in binary mode: its attributes in `ce-*` headers, its `data` as the body."),
    )
