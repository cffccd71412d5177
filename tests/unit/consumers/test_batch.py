from consumers.batch import decode_all
from hub.domain.envelope import Source
from tests.unit.consumers.fakes import NOW_MS, FakeDelivery, batch_of, good


def test_good_events_come_out_in_order_with_their_origin() -> None:
    batch = batch_of(good("a"), good("b"))
    assert [(some.event.id, some.origin.place) for some in batch.incoming] == [("a", "orders/0/0"), ("b", "orders/0/1")]


def test_what_does_not_decode_becomes_a_letter_and_its_neighbours_go_on() -> None:
    batch = batch_of(good("a"), b'{"specversion": "1.0"', good("b"))
    assert [some.event.id for some in batch.incoming] == ["a", "b"]
    assert [(letter.origin.place, letter.body) for letter in batch.letters] == [
        ("orders/0/1", b'{"specversion": "1.0"')
    ]


def test_a_letter_names_the_field_and_keeps_what_is_needed_to_try_again() -> None:
    letter = batch_of(good("")).letters[0]
    assert letter.field == "id"
    assert letter.content_type == "application/cloudevents+json"
    assert letter.attributes == {"datacontenttype": "application/cloudevents+json"}


def test_an_event_of_a_foreign_type_is_counted_and_skipped() -> None:
    batch = batch_of(good("a", "invoice.printed"))
    assert (batch.incoming, batch.letters, batch.unknown, len(batch)) == ([], [], 1, 1)


def test_a_record_without_a_value_is_a_letter() -> None:
    assert len(batch_of(b"").letters) == 1


def test_attributes_that_cannot_be_read_do_not_stop_the_letter() -> None:
    delivery = FakeDelivery(good("a"), bad_attributes=True)
    batch = decode_all([delivery], source=Source.KAFKA, received_ms=NOW_MS)
    assert [(letter.field, letter.attributes) for letter in batch.letters] == [("ce_id", {})]


def test_a_decoder_that_breaks_costs_one_event_only() -> None:
    deliveries = [FakeDelivery(good("a"), bug=True), FakeDelivery(good("b"))]
    batch = decode_all(deliveries, source=Source.KAFKA, received_ms=NOW_MS)
    assert batch.letters[0].reason == "the decoder failed: RecursionError"
    assert [some.event.id for some in batch.incoming] == ["b"]
