"""CloudEvents 1.0 in, typed events out: the structured, the batched and the binary mode, whatever carried them.

Every mistake is an InputError that names the field as the producer spelled it: `time`, `data.total.currency`.
The checks go: size, JSON, envelope, type, payload. An event of a type that is not ours is `Unknown`, however
its payload looks: other people's events may share our topics.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from hub.domain import strict_json
from hub.domain.envelope import Event, instant, unix_ms
from hub.domain.errors import InputError, TooLarge
from hub.domain.events import (
    EMAIL_PATTERN,
    ID_PATTERN,
    LOCALE_PATTERN,
    PAYLOADS,
    PHONE_PATTERN,
    TIME_ZONE_PATTERN,
    Instant,
    Payload,
)

MAX_FUTURE_MS = 24 * 3_600_000
"""How far ahead of ours a producer's clock may be."""
MAX_BATCH_BYTES = 1024 * 1024
MAX_BATCH_EVENTS = 1_000
MAX_OFFER_BYTES = 16 * 1024
_MAX_BATCH_NESTING = strict_json.MAX_NESTING + 1

_Attribute = Annotated[str, Meta(min_length=1, max_length=512)]
_T = TypeVar("_T")


class Unknown(msgspec.Struct, frozen=True):
    """A well-formed event of a type that Doorbell does not handle: counted and skipped."""

    type: str


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of an event's envelope that Doorbell reads."""

    specversion: str
    id: Annotated[str, Meta(min_length=1, max_length=256)]
    source: _Attribute
    type: Annotated[str, Meta(min_length=1, max_length=256)]
    time: Instant | None = None
    subject: _Attribute | None = None
    datacontenttype: str | None = None
    correlationid: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    """An extension: ties together what different systems log about one thing."""


class _Structured(Attributes, frozen=True, kw_only=True):
    data: msgspec.Raw = msgspec.Raw()
    data_base64: msgspec.Raw = msgspec.Raw()


_structured_decoder = msgspec.json.Decoder(_Structured)
_batch_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_payload_decoders: dict[str, msgspec.json.Decoder[Payload]] = {
    name: msgspec.json.Decoder(payload) for name, payload in PAYLOADS.items()
}
_encode = msgspec.json.Encoder().encode

Decoded = Event | Unknown


def decode_structured(body: bytes, *, received_ms: int) -> Decoded:
    """Decode one event in structured mode (`application/cloudevents+json`). Raises InputError, TooLarge."""
    strict_json.check(body)
    return _structured(body, received_ms)


def decode_batch(body: bytes, *, received_ms: int) -> list[Decoded | InputError]:
    """Decode a batch (`application/cloudevents-batch+json`), each event for itself.

    An event that cannot be decoded is its InputError, with a field such as `[3].data.total`. Raises InputError where
    the batch as a whole cannot be read: not an array, above 1,000 events or 1 MiB.
    """
    strict_json.check(body, max_bytes=MAX_BATCH_BYTES, max_nesting=_MAX_BATCH_NESTING)
    raws = _converted(lambda: _batch_decoder.decode(body), strict_json.WHOLE)
    if len(raws) > MAX_BATCH_EVENTS:
        raise TooLarge(strict_json.WHOLE, f"{len(raws)} events, at most {MAX_BATCH_EVENTS}")
    return [_one_of_batch(index, bytes(raw), received_ms) for index, raw in enumerate(raws)]


def decode_binary(attributes: Mapping[str, str], body: bytes, *, received_ms: int) -> Decoded:
    """Decode one event in binary mode; `attributes` have no prefix any more. Raises InputError, TooLarge."""
    if len(body) > strict_json.MAX_BODY_BYTES:
        raise TooLarge(strict_json.WHOLE, f"{len(body)} bytes, at most {strict_json.MAX_BODY_BYTES}")
    envelope = _converted(lambda: msgspec.convert(dict(attributes), Attributes), "")
    event_type = _checked_type(envelope)
    if event_type is None:
        return Unknown(envelope.type)
    strict_json.check(body)
    return _event(envelope, event_type, body, received_ms)


def encode_structured(event: Event) -> bytes:
    """Return the event in structured mode, for what keeps it until later (parked events, dead letters)."""
    return _encode(
        {
            "specversion": "1.0",
            "id": event.id,
            "source": event.source,
            "type": event.type,
            "time": instant(event.time_ms),
            **({"subject": event.subject} if event.subject is not None else {}),
            "datacontenttype": "application/json",
            "correlationid": event.correlation_id,
            "data": event.data,
        }
    )


def _structured(body: bytes, received_ms: int) -> Decoded:
    envelope = _converted(lambda: _structured_decoder.decode(body), "")
    event_type = _checked_type(envelope)
    if event_type is None:
        return Unknown(envelope.type)
    if envelope.data_base64:
        raise InputError("data_base64", "the payload is JSON: send it in `data`")
    if not envelope.data:
        raise InputError("data", "missing")
    return _event(envelope, event_type, envelope.data, received_ms)


def _one_of_batch(index: int, raw: bytes, received_ms: int) -> Decoded | InputError:
    try:
        if len(raw) > strict_json.MAX_BODY_BYTES:
            raise TooLarge(strict_json.WHOLE, f"{len(raw)} bytes, at most {strict_json.MAX_BODY_BYTES}")
        return _structured(raw, received_ms)
    except InputError as error:
        return type(error)(f"[{index}].{error.field}", error.problem)


def _checked_type(envelope: Attributes) -> str | None:
    """Check what every event has; return the type without a prefix, None where it is not ours."""
    if envelope.specversion != "1.0":
        raise InputError("specversion", f"expected 1.0, got {envelope.specversion[:20]}")
    if envelope.type in PAYLOADS:
        return envelope.type
    # `com.example.order.placed`: CloudEvents asks producers to put their domain, reversed, before the type.
    bare = ".".join(envelope.type.rsplit(".", 2)[-2:])
    return bare if bare in PAYLOADS else None


def _event(envelope: Attributes, event_type: str, data: bytes | msgspec.Raw, received_ms: int) -> Event:
    content_type = envelope.datacontenttype
    if content_type is not None and content_type != "application/json":
        _check_content_type(content_type)
    payload = _converted(lambda: _payload_decoders[event_type].decode(data), "data")
    if event_type.startswith("sale."):
        _check_offer(payload)
    return Event(
        id=envelope.id,
        source=envelope.source,
        type=event_type,
        time_ms=received_ms if envelope.time is None else _time_ms(envelope.time, received_ms),
        data=payload,
        received_ms=received_ms,
        subject=envelope.subject,
        correlation_id=envelope.correlationid or envelope.id[:128],
    )


def _time_ms(time: datetime, received_ms: int) -> int:
    time_ms = unix_ms(time)
    if time_ms > received_ms + MAX_FUTURE_MS:
        raise InputError("time", "more than 24 hours in the future")
    if time_ms < 0:
        raise InputError("time", "before 1970")
    return time_ms


def _check_content_type(content_type: str) -> None:
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise InputError("datacontenttype", f"expected application/json, got {content_type[:100]}")
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", parameters, re.IGNORECASE)
    if charset is not None and charset[1].lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise InputError("datacontenttype", f"expected charset utf-8, got {charset[1][:40]}")


def _check_offer(payload: Payload) -> None:
    offer = getattr(payload, "offer", None)
    if offer is not None and (size := len(_encode(offer))) > MAX_OFFER_BYTES:
        raise TooLarge("data.offer", f"{size} bytes, at most {MAX_OFFER_BYTES}")


# msgspec says where in the text of its message: "Expected `str`, got `int` - at `$.total.currency`".
_WHERE = re.compile(r"^(?P<problem>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?\Z", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`\Z")
_PATTERNS = {
    ID_PATTERN: "expected 1 to 128 characters without white space, control characters or braces",
    EMAIL_PATTERN: "expected an email address",
    PHONE_PATTERN: "expected a phone number in E.164 form: +4930123456",
    LOCALE_PATTERN: "expected a locale such as pt-BR",
    TIME_ZONE_PATTERN: "expected a time zone such as Europe/Berlin",
}


def _converted(decode: Callable[[], _T], root: str) -> _T:
    """Run one of msgspec's decoders and turn its complaint into an InputError below `root`."""
    try:
        return decode()
    except msgspec.ValidationError as error:
        raise _input_error(str(error), root) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(root or strict_json.WHOLE, f"not JSON: {error}") from None


def _input_error(message: str, root: str) -> InputError:
    found = _WHERE.match(message)
    problem, path = (found["problem"], found["path"] or "") if found else (message, "")
    if missing := _MISSING.match(problem):
        path, problem = f"{path}.{missing['name']}", "missing"
    for pattern, words in _PATTERNS.items():
        if repr(pattern) in problem:
            problem = words
    return InputError((root + path).removeprefix(".") or strict_json.WHOLE, problem.replace("`", ""))
