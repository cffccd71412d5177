"""A Kafka record as a delivery, and the marks by which batches of records are committed or read again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import ConsumerRecord, TopicPartition

from consumers.decode import Decoded, attributes_from_kafka, decode_kafka
from hub.domain.envelope import Origin, Source


class KafkaDelivery:
    """One record."""

    __slots__ = ("_record",)

    def __init__(self, record: ConsumerRecord[bytes, bytes]) -> None:
        self._record = record

    @property
    def origin(self) -> Origin:
        """`topic/partition/offset`."""
        record = self._record
        return Origin(Source.KAFKA, f"{record.topic}/{record.partition}/{record.offset}")

    @property
    def body(self) -> bytes:
        """The record's value; empty for a tombstone."""
        return self._record.value or b""

    @property
    def content_type(self) -> str:
        """The header `content-type`."""
        for name, value in self._record.headers:
            if name.lower() == "content-type" and value is not None:
                return str(value, errors="replace")
        return ""

    def attributes(self) -> Mapping[str, str]:
        """Return the attributes in `ce_*` headers. Raises InputError."""
        return attributes_from_kafka(self._record.headers)

    def decode(self, *, received_ms: int) -> Decoded:
        """Return the event. Raises InputError."""
        return decode_kafka(self._record.headers, self._record.value, received_ms=received_ms)


@dataclass(frozen=True, slots=True)
class Span:
    """The records of one partition in one batch: from `first` up to but not including `after`."""

    first: int
    after: int


Records = Mapping[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]]
"""What one poll returns: the records of each partition in the order of their offsets."""
Mark = Mapping[TopicPartition, Span]
"""What of each partition is in a batch."""


def mark_of(records: Records) -> Mark:
    """Return the mark of a batch as `getmany` returned it."""
    return {partition: Span(some[0].offset, some[-1].offset + 1) for partition, some in records.items() if some}


def commit_positions(marks: Iterable[Mark]) -> dict[TopicPartition, int]:
    """Return the offsets to commit once these batches are safe: after the last record of each partition."""
    positions: dict[TopicPartition, int] = {}
    for mark in marks:
        for partition, span in mark.items():
            positions[partition] = max(span.after, positions.get(partition, 0))
    return positions


def rewind_positions(marks: Iterable[Mark]) -> dict[TopicPartition, int]:
    """Return the offsets to read from again if these batches may be lost: the first record of each partition."""
    positions: dict[TopicPartition, int] = {}
    for mark in marks:
        for partition, span in mark.items():
            positions[partition] = min(span.first, positions.get(partition, span.first))
    return positions
