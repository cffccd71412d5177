import json
from datetime import UTC, datetime

import pytest

from consumers.decode import (
    Unknown,
    attributes_from_amqp,
    attributes_from_http,
    attributes_from_kafka,
    decode_amqp,
    decode_batch,
    decode_binary,
    decode_http,
    decode_kafka,
    decode_structured,
    encode_structured,
)
from hub.domain.envelope import Event
from hub.domain.errors import InputError, TooLarge
from hub.domain.events import PAYLOADS, OrderPlaced
from tests.poison import POISONS, Poison
from tests.shop import NOON_MS, encoded, envelope, order_placed_data

ATTRIBUTES = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "order.placed",
    "time": "2026-01-01T12:00:00Z",
}
BODY = json.dumps(order_placed_data()).encode()


def decoded(body: bytes) -> Event:
    event = decode_structured(body, received_ms=NOON_MS)
    assert isinstance(event, Event)
    return event


def refused(body: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        decode_structured(body, received_ms=NOON_MS)
    return caught.value


def test_a_structured_event_is_typed_and_knows_its_times() -> None:
    event = decode_structured(encoded("order.placed", order_placed_data(), subject="A-1"), received_ms=NOON_MS + 5)

    assert isinstance(event, Event)
    assert (event.type, event.subject, event.time_ms, event.received_ms) == (
        "order.placed",
        "A-1",
        NOON_MS,
        NOON_MS + 5,
    )
    assert isinstance(event.data, OrderPlaced)
    assert event.data.total.amount_minor == 5_998


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.name)
def test_poison_names_the_field_over_every_carrier(poison: Poison) -> None:
    attempts = (
        lambda: decode_kafka(poison.kafka_headers, poison.body, received_ms=NOON_MS),
        lambda: decode_amqp(poison.amqp_headers, poison.body, received_ms=NOON_MS, content_type=poison.content_type),
        lambda: decode_http(poison.http_headers, poison.body, received_ms=NOON_MS),
    )
    for attempt in attempts:
        with pytest.raises(InputError) as caught:
            attempt()
        assert caught.value.field == poison.expected_field


def test_the_corpus_is_as_large_as_promised_and_its_names_are_unique() -> None:
    assert len({poison.name for poison in POISONS}) == len(POISONS) >= 30


@pytest.mark.parametrize("prefix", ["", "com.example.", "com.example.shop.v2."])
def test_a_reverse_dns_prefix_of_the_type_is_left_out(prefix: str) -> None:
    assert decoded(encoded(f"{prefix}order.packed", {"order_id": "A-1"})).type == "order.packed"


@pytest.mark.parametrize("event_type", ["order.exploded", "com.example.invoice.sent", "order", "order.placed.v2"])
def test_a_type_that_is_not_ours_is_unknown_whatever_it_carries(event_type: str) -> None:
    body = encoded(event_type, {"anything": ["goes"]})

    assert decode_structured(body, received_ms=NOON_MS) == Unknown(event_type)


def test_an_unknown_type_in_binary_mode_need_not_be_json() -> None:
    attributes = ATTRIBUTES | {"type": "picture.taken", "datacontenttype": "image/png"}

    assert decode_binary(attributes, b"\x89PNG", received_ms=NOON_MS) == Unknown("picture.taken")


def test_without_a_time_an_event_happened_when_it_came() -> None:
    assert decoded(encoded("order.packed", {"order_id": "A-1"}, time=None)).time_ms == NOON_MS


def test_a_clock_may_be_a_day_ahead_and_no_more() -> None:
    decoded(encoded("order.packed", {"order_id": "A-1"}, time="2026-01-02T12:00:00Z"))
    assert refused(encoded("order.packed", {"order_id": "A-1"}, time="2026-01-02T12:00:00.001Z")).field == "time"


def test_unknown_fields_are_ignored() -> None:
    event = decoded(encoded("order.packed", {"order_id": "A-1", "shelf": {"row": 7}}, partitionkey="x"))

    assert event.type == "order.packed"


def test_the_correlation_id_is_the_extension_or_else_the_event_id() -> None:
    given = decoded(encoded("order.packed", {"order_id": "A-1"}, id="e-7", correlationid="c-1"))
    default = decoded(encoded("order.packed", {"order_id": "A-1"}, id="e-7"))

    assert (given.correlation_id, default.correlation_id) == ("c-1", "e-7")


def test_nesting_of_32_levels_passes() -> None:
    offer = json.loads("[" * 29 + "]" * 29)
    sale = {"sale_id": "summer", "offer": {"x": offer}}

    assert decoded(encoded("sale.ended", sale)).type == "sale.ended"


def test_a_long_order_is_not_mistaken_for_a_deep_one() -> None:
    data = order_placed_data()
    data["items"] *= 40

    assert decoded(encoded("order.placed", data)).type == "order.placed"


def test_size_is_checked_before_anything_is_parsed() -> None:
    error = refused(b"[" * (256 * 1024 + 1))

    assert isinstance(error, TooLarge)
    assert error.problem == "262145 bytes, at most 262144"


def test_what_is_encoded_again_decodes_to_the_same_event() -> None:
    event = decoded(encoded("order.placed", order_placed_data(), subject="A-1", correlationid="c-1"))

    assert decode_structured(encode_structured(event), received_ms=NOON_MS) == event


def test_a_batch_judges_each_event_for_itself() -> None:
    batch = [envelope("order.packed", {"order_id": "A-1"}), envelope("order.packed", {}), envelope("no.idea", {})]

    good, bad, unknown = decode_batch(json.dumps(batch).encode(), received_ms=NOON_MS)

    assert isinstance(good, Event)
    assert isinstance(bad, InputError)
    assert bad.field == "[1].data.order_id"
    assert unknown == Unknown("no.idea")


@pytest.mark.parametrize("body", [b"{}", b"[", b"7", b"[1" + b",1" * 1_000 + b"]"])
def test_a_batch_that_is_none_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(InputError, match=r"^body: "):
        decode_batch(body, received_ms=NOON_MS)


def test_one_event_of_a_batch_may_be_too_large() -> None:
    batch = [envelope("order.packed", {"order_id": "A-1", "note": "x" * 300_000})]

    (result,) = decode_batch(json.dumps(batch).encode(), received_ms=NOON_MS)

    assert isinstance(result, TooLarge)


def test_kafka_attributes_come_from_headers_with_their_prefix() -> None:
    headers = [
        ("ce_id", b"e-1"),
        ("CE_Source", b"/shop"),
        ("content-type", b"application/json"),
        ("traceparent", b"00"),
    ]

    assert attributes_from_kafka(headers) == {"id": "e-1", "source": "/shop", "datacontenttype": "application/json"}


def test_a_kafka_header_that_is_not_utf8_is_named() -> None:
    with pytest.raises(InputError, match=r"^ce_id: not UTF-8"):
        attributes_from_kafka([("ce_id", b"\xff")])


def test_a_kafka_header_with_two_values_is_refused() -> None:
    with pytest.raises(InputError, match=r"^id: given twice"):
        attributes_from_kafka([("ce_id", b"1"), ("ce_id", b"2")])


@pytest.mark.parametrize("prefix", ["cloudEvents:", "cloudEvents_", "cloudevents:"])
def test_amqp_attributes_come_with_either_prefix_and_their_own_types(prefix: str) -> None:
    headers = {
        f"{prefix}id": b"e-1",
        f"{prefix}time": datetime(2026, 1, 1, 12, tzinfo=UTC),
        f"{prefix}sequence": 7,
        f"{prefix}last": True,
    }

    assert attributes_from_amqp(headers, content_type="application/json") == {
        "datacontenttype": "application/json",
        "id": "e-1",
        "time": "2026-01-01T12:00:00+00:00",
        "sequence": "7",
        "last": "true",
    }


def test_an_event_has_a_bounded_number_of_attributes() -> None:
    with pytest.raises(InputError, match=r"^a64: beyond the 64 attributes"):
        attributes_from_http({f"ce-a{number}": "x" for number in range(65)})


def test_an_amqp_header_that_is_a_table_is_refused() -> None:
    with pytest.raises(InputError, match=r"^cloudEvents:id: expected text, got dict"):
        attributes_from_amqp({"cloudEvents:id": {}})


def test_http_attributes_are_percent_decoded() -> None:
    assert attributes_from_http({"Ce-Subject": "Euro%20%E2%82%AC"}) == {"subject": "Euro €"}


def test_an_http_header_that_decodes_to_no_utf8_is_refused() -> None:
    with pytest.raises(InputError, match=r"^ce-subject: percent-encoded"):
        attributes_from_http({"ce-subject": "%FF"})


def test_binary_mode_gives_the_same_event_over_every_carrier() -> None:
    kafka = decode_kafka(
        [(f"ce_{name}", value.encode()) for name, value in ATTRIBUTES.items()], BODY, received_ms=NOON_MS
    )
    amqp = decode_amqp({f"cloudEvents:{name}": value for name, value in ATTRIBUTES.items()}, BODY, received_ms=NOON_MS)
    (http,) = decode_http({f"ce-{name}": value for name, value in ATTRIBUTES.items()}, BODY, received_ms=NOON_MS)

    assert kafka == amqp == http
    assert isinstance(http, Event)
    assert http.key == decoded(json.dumps(ATTRIBUTES | {"data": order_placed_data()}).encode()).key


def test_a_message_without_any_headers_is_taken_as_structured() -> None:
    assert isinstance(decode_kafka([], encoded("order.packed", {"order_id": "A-1"}), received_ms=NOON_MS), Event)


def test_a_kafka_record_without_a_value_is_refused() -> None:
    with pytest.raises(InputError, match=r"^body: empty"):
        decode_kafka([], None, received_ms=NOON_MS)


@pytest.mark.parametrize("content_type", ["application/cloudevents-batch+json", "application/json"])
def test_an_array_over_http_is_a_batch(content_type: str) -> None:
    body = json.dumps([envelope("order.packed", {"order_id": "A-1"})] * 2).encode()

    assert len(decode_http({"Content-Type": content_type}, body, received_ms=NOON_MS)) == 2


def test_every_type_of_event_has_a_decoder() -> None:
    for event_type in PAYLOADS:
        assert refused(encoded(event_type, {})).field.startswith("data.")
