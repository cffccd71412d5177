"""A RabbitMQ message as a delivery."""

from __future__ import annotations

from collections.abc import Mapping

from aiormq.abc import DeliveredMessage

from consumers.decode import Decoded, attributes_from_amqp, decode_amqp
from hub.domain.envelope import Origin, Source


class RabbitDelivery:
    """One message, delivered on one channel."""

    __slots__ = ("_message", "_queue", "tag")

    def __init__(self, message: DeliveredMessage, queue: str) -> None:
        self._message = message
        self._queue = queue
        self.tag = message.delivery_tag or 0
        """Its number on the channel, from 1."""

    @property
    def origin(self) -> Origin:
        """`queue/delivery tag`."""
        return Origin(Source.RABBITMQ, f"{self._queue}/{self.tag}")

    @property
    def body(self) -> bytes:
        """The message's body."""
        return self._message.body

    @property
    def content_type(self) -> str:
        """The property of that name."""
        return self._message.header.properties.content_type or ""

    def attributes(self) -> Mapping[str, str]:
        """Return the attributes in application properties. Raises InputError."""
        properties = self._message.header.properties
        return attributes_from_amqp(properties.headers or {}, content_type=properties.content_type)

    def decode(self, *, received_ms: int) -> Decoded:
        """Return the event. Raises InputError."""
        properties = self._message.header.properties
        return decode_amqp(
            properties.headers or {}, self._message.body, received_ms=received_ms, content_type=properties.content_type
        )
