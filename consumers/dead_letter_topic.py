"""A copy of the dead letters in a Kafka topic, for shops that watch theirs there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from consumers.intake import CopyUnavailable
from consumers.kafka_client import open_producer
from hub.domain.envelope import Rejected
from hub.settings import Kafka

_TIMEOUT_S = 10.0
_MAX_BODY_BYTES = 900 * 1024
"""Brokers refuse records above 1 MiB by default, and a letter that is refused must not hold up the events behind it."""


class DeadLetterTopic:
    """Writes letters at least once, with their bytes untouched and their story in `doorbell-*` headers.

    The producer is made when the first letter comes, and made anew after a failure. Use as `async with`.
    """

    def __init__(
        self,
        settings: Kafka,
        *,
        timeout_s: float = _TIMEOUT_S,
        producer: Callable[[Kafka], AIOKafkaProducer] = open_producer,
    ) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._make_producer = producer
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close()

    async def copy(self, letters: Sequence[Rejected], /) -> None:
        """Return when the broker has all letters. Raises CopyUnavailable; then some may be there."""
        try:
            async with asyncio.timeout(self._timeout_s):
                producer = await self._started()
                topic = self._settings.dead_letter_topic
                sent = [await producer.send(topic, body_of(letter), headers=headers_of(letter)) for letter in letters]
                await asyncio.gather(*sent)
        except (KafkaError, OSError, TimeoutError) as error:
            await self._close()
            raise CopyUnavailable(f"{type(error).__name__} {error}".strip()) from error

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = self._make_producer(self._settings)
            await self._producer.start()
        return self._producer

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                await producer.stop()
        except (KafkaError, OSError, TimeoutError):
            # What was not sent is sent again: the letters' offsets are not committed.
            return


def body_of(letter: Rejected) -> bytes:
    """Return the letter's bytes, cut off at 900 KiB (the store's letter has them all)."""
    return letter.body[:_MAX_BODY_BYTES]


def headers_of(letter: Rejected) -> list[tuple[str, bytes]]:
    """Return the headers that tell a letter's story, and those without which its body could not be read again."""
    story = {
        "doorbell-origin": str(letter.origin),
        "doorbell-reason": letter.reason,
        "doorbell-field": letter.field,
        "doorbell-cut-from-bytes": str(len(letter.body)) if len(letter.body) > _MAX_BODY_BYTES else "",
        "content-type": letter.content_type,
        **{f"ce_{name}": value for name, value in letter.attributes.items() if name != "datacontenttype"},
    }
    return [(name, value.encode(errors="replace")) for name, value in story.items() if value]
