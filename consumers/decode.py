"""From a message of a broker or a request to a typed event.

The decoding itself is pure and lives in the domain (`hub.domain.cloudevents` for the three modes, `hub.domain.bindings`
for the carriers), where the HTTP API and the service, which may not import a consumer, reach it too.
"""

from __future__ import annotations

from hub.domain.bindings import (
    attributes_from_amqp,
    attributes_from_http,
    attributes_from_kafka,
    decode_amqp,
    decode_http,
    decode_kafka,
)
from hub.domain.cloudevents import (
    Decoded,
    Unknown,
    decode_batch,
    decode_binary,
    decode_structured,
    encode_structured,
)

__all__ = [
    "Decoded",
    "Unknown",
    "attributes_from_amqp",
    "attributes_from_http",
    "attributes_from_kafka",
    "decode_amqp",
    "decode_batch",
    "decode_binary",
    "decode_http",
    "decode_kafka",
    "decode_structured",
    "encode_structured",
]
