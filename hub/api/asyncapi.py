"""The AsyncAPI 3.0 document: events in, messages on topics, and the `rpc` methods of a socket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from hub.api.schemas import REF, Schema, event_name, event_schemas, schemas_of
from hub.domain.events import PAYLOADS
from hub.domain.notifications import InboxEntry
from hub.domain.outcomes import OutcomeEvent
from hub.domain.topics import ANNOUNCEMENTS, INBOX, ORDER, PRICE, SALE, SHIPMENT, STOCK
from hub.domain.updates import OrderUpdate, PriceUpdate, SaleUpdate, ShipmentUpdate, StockUpdate
from hub.service.operations import AnyOperation, Document

_SOCKET = "/connection/websocket"


class InboxNotification(msgspec.Struct, frozen=True):
    """On `inbox:<user>`: a new entry, and how many are unread with it."""

    type: Literal["notification"]
    unread: int
    notification: InboxEntry


class InboxMarked(msgspec.Struct, frozen=True):
    """On `inbox:<user>`: entries were seen, read or archived, here or on another device."""

    type: Literal["seen", "read", "archived"]
    unread: int
    ids: tuple[str, ...]


class TopicMessages(msgspec.Struct, frozen=True):
    """What is published on the topics `namespace:{parameter}`; no parameter: on the one topic of that name."""

    namespace: str
    parameter: str | None
    meaning: str
    types: tuple[type, ...]


TOPICS = (
    TopicMessages(
        INBOX, "user", "A person's notifications. Connecting subscribes it.", (InboxNotification, InboxMarked)
    ),
    TopicMessages(ORDER, "order_id", "What happens to an order, its payment and its shipments.", (OrderUpdate,)),
    TopicMessages(SHIPMENT, "shipment_id", "The latest status of a shipment.", (ShipmentUpdate,)),
    TopicMessages(PRICE, "product_id", "The latest price of a product.", (PriceUpdate,)),
    TopicMessages(STOCK, "product_id", "That a product can be bought again.", (StockUpdate,)),
    TopicMessages(SALE, "sale_id", "The latest state of a sale.", (SaleUpdate,)),
    TopicMessages(ANNOUNCEMENTS, None, "For everybody connected. Connecting subscribes it.", (SaleUpdate,)),
)


def asyncapi_document(
    operations: Iterable[AnyOperation],
    *,
    version: str,
    public_url: str,
    kafka_topics: Sequence[str] = (),
    outcomes_topic: str = "",
    rabbitmq_exchange: str = "",
) -> dict[str, Any]:
    """Return the document. The addresses of brokers are not in it; the names of their topics and exchange are."""
    methods = [operation for operation in operations if operation.request is not Document]
    types = [kind for topic in TOPICS for kind in topic.types]
    references, components = schemas_of(
        [OutcomeEvent, *types, *(kind for each in methods for kind in (each.request, each.response))]
    )
    ways_in = _ways_in(kafka_topics=kafka_topics, rabbitmq_exchange=rabbitmq_exchange)
    topics = {topic.namespace: _topic(topic) for topic in TOPICS}
    rpc = {"rpc": _rpc_channel(methods)}
    outcomes = _outcomes(outcomes_topic)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Doorbell",
            "version": version,
            "description": "Sockets speak the Centrifuge client protocol; a topic is its `channel`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"socket": _socket(public_url)},
        "channels": {**ways_in, **outcomes, **topics, **rpc},
        "operations": {**_receiving(ways_in), **_sending({**outcomes, **topics}), **_methods(methods)},
        "components": {
            "schemas": {**components, **event_schemas()},
            "messages": {**_event_messages(), **_messages(references), **_method_messages(methods, references)},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _socket(public_url: str) -> Schema:
    url = urlsplit(public_url)
    return {
        "host": url.netloc,
        "pathname": _SOCKET,
        "protocol": "wss" if url.scheme == "https" else "ws",
        "security": [{"$ref": "#/components/securitySchemes/token"}],
    }


def _ref(*path: str) -> Schema:
    return {"$ref": "/".join(("#", *path))}


def _listed(names: Iterable[str]) -> dict[str, Schema]:
    return {name: _ref("components", "messages", name) for name in names}


def _ways_in(*, kafka_topics: Sequence[str], rabbitmq_exchange: str) -> dict[str, Any]:
    events = _listed(map(event_name, PAYLOADS))
    channels: dict[str, Any] = {
        f"kafka.{topic}": {
            "address": topic,
            "description": "A Kafka topic; the key is an id.",
            "messages": events,
        }
        for topic in kafka_topics
    }
    if rabbitmq_exchange:
        description = "A topic exchange of RabbitMQ; routing key: the event's type."
        channels["rabbitmq"] = {"address": rabbitmq_exchange, "description": description, "messages": events}
    channels["http"] = {
        "address": "/v1/events",
        "description": "HTTP, as OpenAPI has it.",
        "messages": events,
    }
    return channels


def _outcomes(topic: str) -> dict[str, Any]:
    if not topic:
        return {}
    description = "A Kafka topic: what becomes of notifications, at least once; the key is the notification's id."
    return {
        f"kafka.{topic}": {"address": topic, "description": description, "messages": _listed([OutcomeEvent.__name__])}
    }


def _topic(topic: TopicMessages) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": topic.namespace if topic.parameter is None else f"{topic.namespace}:{{{topic.parameter}}}",
        "description": topic.meaning,
        "servers": [_ref("servers", "socket")],
        "messages": _listed(kind.__name__ for kind in topic.types),
    }
    if topic.parameter is not None:
        channel["parameters"] = {topic.parameter: {"description": "An id: 1 to 128 characters."}}
    return channel


def _rpc_channel(methods: Sequence[AnyOperation]) -> dict[str, Any]:
    names = [f"{method.name}.{part}" for method in methods for part in ("request", "response")]
    return {
        "address": _SOCKET,
        "description": "The `rpc` command; `data` of the command and of its reply are these messages.",
        "servers": [_ref("servers", "socket")],
        "messages": _listed(names),
    }


def _receiving(channels: Mapping[str, Any]) -> dict[str, Any]:
    return {f"receive.{name}": {"action": "receive", "channel": _ref("channels", name)} for name in channels}


def _sending(channels: Mapping[str, Any]) -> dict[str, Any]:
    return {f"send.{name}": {"action": "send", "channel": _ref("channels", name)} for name in channels}


def _methods(methods: Sequence[AnyOperation]) -> dict[str, Any]:
    def message(method: AnyOperation, part: str) -> list[Schema]:
        return [_ref("channels", "rpc", "messages", f"{method.name}.{part}")]

    return {
        f"rpc.{method.name}": {
            "action": "receive",
            "summary": method.summary,
            "channel": _ref("channels", "rpc"),
            "messages": message(method, "request"),
            "reply": {"channel": _ref("channels", "rpc"), "messages": message(method, "response")},
        }
        for method in methods
    }


def _event_messages() -> dict[str, Any]:
    return {event_name(name): {"name": name, "payload": {"$ref": f"{REF}{event_name(name)}"}} for name in PAYLOADS}


def _messages(references: Mapping[type, Schema]) -> dict[str, Any]:
    kinds = dict.fromkeys((OutcomeEvent, *(kind for topic in TOPICS for kind in topic.types)))
    return {kind.__name__: {"name": kind.__name__, "payload": references[kind]} for kind in kinds}


def _method_messages(methods: Sequence[AnyOperation], references: Mapping[type, Schema]) -> dict[str, Any]:
    parts = [(method, part, getattr(method, part)) for method in methods for part in ("request", "response")]
    return {
        f"{method.name}.{part}": {"name": f"{method.name}.{part}", "payload": references[kind]}
        for method, part, kind in parts
    }
