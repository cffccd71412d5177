import json
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.decode import (
    Unknown,
    decode_amqp,
    decode_batch,
    decode_binary,
    decode_http,
    decode_kafka,
    decode_structured,
    encode_structured,
)
from hub.domain.envelope import Event
from hub.domain.errors import InputError
from hub.domain.events import PAYLOADS
from tests.poison import POISONS
from tests.shop import NOON_MS, encoded, envelope, order_placed_data

FEW = settings(max_examples=min(50, settings().max_examples))
MANY = settings(FEW, max_examples=200)
Result = TypeVar("Result")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
GOOD = encoded("order.placed", order_placed_data())
CONTENT_TYPES = st.sampled_from(
    ["", "application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "text/plain"]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a good event with a piece of it replaced by arbitrary bytes."""
    start = draw(st.integers(0, len(GOOD)))
    end = draw(st.integers(start, min(len(GOOD), start + 40)))
    return GOOD[:start] + draw(st.binary(max_size=20)) + GOOD[end:]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return an event of ours with any of its fields replaced by any JSON."""
    data: dict[str, Any] = order_placed_data()
    target = draw(st.sampled_from([data, data["total"], data["items"][0]]))
    target[draw(st.sampled_from(sorted(target)))] = draw(JSON)
    event = envelope(draw(st.sampled_from(sorted(PAYLOADS))), data)
    if draw(st.booleans()):
        event[draw(st.sampled_from(sorted(event)))] = draw(JSON)
    return json.dumps(event).encode()


POISONOUS = st.sampled_from([poison.body for poison in POISONS if len(poison.body) < 9_999])


def result_of(decode: Callable[[], Result]) -> Result | InputError:
    """Return what decoding gives or its refusal; anything else it raises fails the test."""
    try:
        return decode()
    except InputError as error:
        return error


def judged(result: object) -> bool:
    """Say whether a result is an event or a refusal that names a field and a problem."""
    if isinstance(result, InputError):
        return bool(result.field and result.problem)
    return isinstance(result, Event | Unknown)


@given(st.binary() | damaged() | mutated() | POISONOUS)
@MANY
def test_any_bytes_are_an_event_or_an_input_error_that_names_a_field(body: bytes) -> None:
    assert judged(result_of(lambda: decode_structured(body, received_ms=NOON_MS)))


@given(mutated() | damaged())
@FEW
def test_what_decodes_survives_being_encoded_again(body: bytes) -> None:
    event = result_of(lambda: decode_structured(body, received_ms=NOON_MS))

    if isinstance(event, Event):
        assert decode_structured(encode_structured(event), received_ms=NOON_MS) == event


@given(st.binary() | st.lists(JSON, max_size=3).map(lambda values: json.dumps(values).encode()))
@FEW
def test_any_batch_is_a_list_of_results_or_an_input_error(body: bytes) -> None:
    results = result_of(lambda: decode_batch(body, received_ms=NOON_MS))

    assert judged(results) if isinstance(results, InputError) else all(map(judged, results))


@given(st.dictionaries(st.sampled_from(["specversion", "id", "source", "type", "time"]), st.text()), st.binary())
@FEW
def test_any_attributes_in_binary_mode_raise_nothing_but_input_errors(attributes: dict[str, str], body: bytes) -> None:
    assert judged(result_of(lambda: decode_binary({"specversion": "1.0"} | attributes, body, received_ms=NOON_MS)))


@given(CONTENT_TYPES, st.dictionaries(st.text(max_size=12), st.binary(max_size=12), max_size=4), st.binary())
@FEW
def test_any_message_of_any_carrier_raises_nothing_but_input_errors(
    content_type: str, headers: dict[str, bytes], body: bytes
) -> None:
    texts = {f"ce-{name}": value.decode("latin-1") for name, value in headers.items()}
    kafka = [("content-type", content_type.encode()), *((f"ce_{name}", value) for name, value in headers.items())]
    amqp = {f"cloudEvents:{name}": value for name, value in headers.items()}

    assert judged(result_of(lambda: decode_kafka(kafka, body, received_ms=NOON_MS)))
    assert judged(result_of(lambda: decode_amqp(amqp, body, received_ms=NOON_MS, content_type=content_type)))
    http = result_of(lambda: decode_http({"content-type": content_type, **texts}, body, received_ms=NOON_MS))
    assert judged(http) if isinstance(http, InputError) else all(map(judged, http))
