from aiokafka import ConsumerRecord, TopicPartition

from consumers.kafka_record import KafkaDelivery, Span, commit_positions, mark_of, rewind_positions
from hub.domain.envelope import Event, Source
from tests.unit.consumers.fakes import NOW_MS, good

P0, P1 = TopicPartition("orders", 0), TopicPartition("orders", 1)


def record(
    offset: int, value: bytes | None = b"", headers: tuple[tuple[str, bytes], ...] = ()
) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord("orders", 0, offset, 0, 0, None, value, None, 0, 0, headers)


def test_the_origin_is_topic_partition_and_offset() -> None:
    origin = KafkaDelivery(record(1842)).origin
    assert (origin.source, origin.place) == (Source.KAFKA, "orders/0/1842")


def test_a_tombstone_has_an_empty_body() -> None:
    assert KafkaDelivery(record(1, None)).body == b""


def test_a_structured_event_is_decoded() -> None:
    headers = (("content-type", b"application/cloudevents+json; charset=utf-8"),)
    event = KafkaDelivery(record(1, good("a"), headers)).decode(received_ms=NOW_MS)
    assert isinstance(event, Event)
    assert event.id == "a"


def test_a_binary_event_is_decoded_and_its_attributes_are_kept() -> None:
    headers = (("ce_specversion", b"1.0"), ("ce_id", b"a"), ("ce_source", b"/shop"), ("ce_type", b"order.packed"))
    delivery = KafkaDelivery(record(1, b'{"order_id": "o1"}', headers))
    event = delivery.decode(received_ms=NOW_MS)
    assert isinstance(event, Event)
    assert event.source == "/shop"
    assert delivery.attributes()["type"] == "order.packed"


def test_a_content_type_that_is_not_text_is_shown_as_well_as_it_can_be() -> None:
    assert KafkaDelivery(record(1, b"", (("Content-Type", b"\xff"),))).content_type == "\ufffd"


def test_a_mark_covers_each_partition_from_its_first_to_after_its_last_record() -> None:
    assert mark_of({P0: [record(5), record(9)], P1: []}) == {P0: Span(5, 10)}


def test_the_position_to_commit_is_after_the_last_record_of_all_batches() -> None:
    assert commit_positions([{P0: Span(5, 10), P1: Span(0, 3)}, {P0: Span(10, 12)}]) == {P0: 12, P1: 3}


def test_the_position_to_rewind_to_is_the_first_record_of_all_batches() -> None:
    assert rewind_positions([{P0: Span(5, 10)}, {P0: Span(10, 12), P1: Span(7, 8)}]) == {P0: 5, P1: 7}


def test_without_batches_nothing_moves() -> None:
    assert commit_positions([]) == rewind_positions([]) == {}
