"""How CloudEvents travel over HTTP, Kafka and AMQP: where the attributes are, and which mode a message is in.

The mode is told by the content type (`application/cloudevents…`), else by the presence of the `specversion` attribute.
A message with neither is taken as structured: many producers set no headers at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import unquote

from hub.domain.cloudevents import Decoded, decode_batch, decode_binary, decode_structured
from hub.domain.errors import InputError

_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_MODES = "application/cloudevents"
MAX_ATTRIBUTES = 64
_CONTENT_TYPE = "content-type"
_DATA_CONTENT_TYPE = "datacontenttype"


def attributes_from_kafka(headers: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    """Return the attributes in a record's `ce_*` headers; its `content-type` is `datacontenttype`.

    Raises InputError on a header that is not UTF-8 or given twice.
    """
    attributes: dict[str, str] = {}
    for name, value in headers:
        attribute = _attribute(name.lower(), "ce_")
        if attribute:
            _put(attributes, attribute, _text(name, value))
    return attributes


def attributes_from_amqp(headers: Mapping[str, object], *, content_type: str | None = None) -> dict[str, str]:
    """Return the attributes in application properties named `cloudEvents:*` or `cloudEvents_*`. Raises InputError."""
    attributes = {_DATA_CONTENT_TYPE: content_type} if content_type else {}
    for name, value in headers.items():
        lower = name.lower()
        attribute = _attribute(lower, "cloudevents:") or _attribute(lower, "cloudevents_")
        if attribute and attribute != _CONTENT_TYPE:
            _put(attributes, attribute, _text(name, value))
    return attributes


def attributes_from_http(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes in a request's `ce-*` headers, percent-decoded. Raises InputError."""
    attributes: dict[str, str] = {}
    for name, value in headers.items():
        attribute = _attribute(name.lower(), "ce-")
        if attribute:
            _put(attributes, attribute, _unquoted(name, value))
    return attributes


def decode_kafka(headers: Sequence[tuple[str, bytes]], body: bytes | None, *, received_ms: int) -> Decoded:
    """Decode one Kafka record. Raises InputError, TooLarge; a record without a value is one, too."""
    return _decode(attributes_from_kafka(headers), body or b"", received_ms)


def decode_amqp(
    headers: Mapping[str, object], body: bytes, *, received_ms: int, content_type: str | None = None
) -> Decoded:
    """Decode one AMQP message. Raises InputError, TooLarge."""
    return _decode(attributes_from_amqp(headers, content_type=content_type), body, received_ms)


def decode_http(headers: Mapping[str, str], body: bytes, *, received_ms: int) -> list[Decoded | InputError]:
    """Decode the one event or the batch of a request, each event of a batch for itself.

    Raises InputError or TooLarge where the request as a whole cannot be read, and for its only event. A JSON array
    sent as `application/json` is taken as a batch.
    """
    attributes = attributes_from_http(headers)
    media_type = _media_type(attributes)
    as_array = media_type in {"", "application/json"} and "specversion" not in attributes and body[:1] == b"["
    if media_type == _BATCH or as_array:
        return decode_batch(body, received_ms=received_ms)
    return [_decode(attributes, body, received_ms)]


def _decode(attributes: dict[str, str], body: bytes, received_ms: int) -> Decoded:
    media_type = _media_type(attributes)
    if media_type.startswith(_MODES):
        if media_type != _STRUCTURED:
            raise InputError(_CONTENT_TYPE, f"expected {_STRUCTURED}, got {media_type[:100]}")
        return decode_structured(body, received_ms=received_ms)
    if "specversion" in attributes:
        return decode_binary(attributes, body, received_ms=received_ms)
    if attributes.keys() - {_DATA_CONTENT_TYPE}:
        raise InputError("specversion", "missing")
    return decode_structured(body, received_ms=received_ms)


def _media_type(attributes: Mapping[str, str]) -> str:
    return attributes.get(_DATA_CONTENT_TYPE, "").partition(";")[0].strip().lower()


def _attribute(name: str, prefix: str) -> str:
    if name == _CONTENT_TYPE:
        return _DATA_CONTENT_TYPE
    return name[len(prefix) :] if name.startswith(prefix) else ""


def _put(attributes: dict[str, str], name: str, value: str) -> None:
    if len(attributes) >= MAX_ATTRIBUTES:
        raise InputError(name, f"beyond the {MAX_ATTRIBUTES} attributes an event may have")
    if attributes.setdefault(name, value) != value:
        raise InputError(name, "given twice")


def _text(name: str, value: object) -> str:
    """Return a header's value as text: AMQP has types of its own where CloudEvents allows them."""
    match value:
        case str():
            return value
        case bytes():
            return _utf8(name, value)
        case datetime():
            return value.isoformat()
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case _:
            raise InputError(name, f"expected text, got {type(value).__name__}")


def _utf8(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InputError(name, f"not UTF-8 at byte {error.start}") from None


def _unquoted(name: str, value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise InputError(name, "percent-encoded, but not UTF-8") from None
