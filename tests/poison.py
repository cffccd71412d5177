"""A corpus of bad input: what each of the three ways in must refuse, and the field that it must name.

Every poison is one message: `kafka_headers`, `amqp_headers` and `http_headers` are the headers it travels with.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.shop import envelope, order_placed_data

STRUCTURED = "application/cloudevents+json"


@dataclass(frozen=True)
class Poison:
    """One bad message. Binary mode where there are `attributes`, else structured."""

    name: str
    body: bytes
    expected_field: str
    content_type: str = STRUCTURED
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def kafka_headers(self) -> list[tuple[str, bytes]]:
        """The headers of the Kafka record."""
        own = [(f"ce_{name}", value.encode()) for name, value in self.attributes.items()]
        return [("content-type", self.content_type.encode()), *own]

    @property
    def amqp_headers(self) -> dict[str, str]:
        """The headers of the AMQP message; `content_type` is a property of its own there."""
        return {f"cloudEvents:{name}": value for name, value in self.attributes.items()}

    @property
    def http_headers(self) -> dict[str, str]:
        """The headers of the request."""
        own = {f"ce-{name}": value for name, value in self.attributes.items()}
        return {"content-type": self.content_type, **own}


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def _raw(name: str, body: bytes, expected_field: str = "body") -> Poison:
    return Poison(name, body, expected_field)


def _envelope(name: str, expected_field: str, **attributes: Any) -> Poison:
    return Poison(name, _json(envelope("order.placed", order_placed_data(), **attributes)), expected_field)


def _data(name: str, expected_field: str, change: Callable[[dict[str, Any]], object]) -> Poison:
    data = order_placed_data()
    change(data)
    return Poison(name, _json(envelope("order.placed", data)), f"data.{expected_field}")


def _typed(name: str, expected_field: str, event_type: str, **data: Any) -> Poison:
    return Poison(name, _json(envelope(event_type, data)), f"data.{expected_field}")


def _text(name: str, old: bytes, new: bytes, expected_field: str = "body") -> Poison:
    body = _json(envelope("order.placed", order_placed_data()))
    assert old in body
    return Poison(name, body.replace(old, new, 1), expected_field)


def _binary(name: str, expected_field: str, body: bytes | None = None, **attributes: str | None) -> Poison:
    full = {"specversion": "1.0", "id": "e-1", "source": "/shop/tests", "type": "order.placed"} | attributes
    given = {key: value for key, value in full.items() if value is not None}
    content_type = given.pop("datacontenttype", "application/json")
    return Poison(name, _json(order_placed_data()) if body is None else body, expected_field, content_type, given)


_MONEY = {"amount_minor": 1, "currency": "EUR"}

POISONS: tuple[Poison, ...] = (
    # Not JSON, or not JSON that everybody reads alike.
    _raw("empty body", b""),
    _raw("not JSON", b"order 1 placed"),
    _raw("truncated JSON", b'{"specversion":"1.0","id":"e'),
    _raw("two documents", b"{}{}"),
    _raw("a number", b"42"),
    _raw("null", b"null"),
    _raw("XML", b"<?xml version='1.0'?><event/>"),
    _raw("binary garbage", bytes(range(256))),
    _raw("UTF-16", json.dumps(envelope("order.placed", order_placed_data())).encode("utf-16")),
    _raw("byte order mark", b"\xef\xbb\xbf" + _json(envelope("order.placed", order_placed_data()))),
    _raw(
        "deep nesting",
        _json(envelope("order.placed", order_placed_data()))[:-1] + b',"x":' + b"[" * 40 + b"]" * 40 + b"}",
    ),
    _raw("very deep nesting", b"[" * 100_000 + b"]" * 100_000),
    _raw("above 256 KiB", _json(envelope("order.placed", order_placed_data() | {"note": "x" * 262_144}))),
    _raw("an integer of 5000 digits", b'{"specversion":' + b"9" * 5_000 + b"}"),
    _text("bad UTF-8", b"Blue shoe", b"Blue \xff shoe"),
    _text("overlong UTF-8", b"Blue shoe", b"Blue \xc0\xaf shoe"),
    _text("lone surrogate", b"Blue shoe", b"Blue \\ud800 shoe"),
    _text("lone surrogate where nobody looks", b'"data":', b'"x": ["\\udc00"], "data":'),
    _text("NaN", b"5998", b"NaN"),
    _text("Infinity", b"5998", b"-Infinity"),
    _text("name given twice", b'"order_id": "A-1"', b'"order_id": "A-1", "order_id": "A-2"', "order_id"),
    _text("name given twice, once escaped", b'"id": ', b'"\\u0069d": "e-9", "id": ', "id"),
    _text("control character in a string", b"Blue shoe", b"Blue \x01 shoe"),
    # The envelope.
    _envelope("no id", "id", id=None),
    _envelope("empty id", "id", id=""),
    _envelope("id of 257 characters", "id", id="x" * 257),
    _envelope("id is a number", "id", id=7),
    _envelope("no source", "source", source=None),
    _envelope("no type", "type", type=None),
    _envelope("no specversion", "specversion", specversion=None),
    _envelope("unknown specversion", "specversion", specversion="2.0"),
    _envelope("time is no time", "time", time="yesterday"),
    _envelope("time without an offset", "time", time="2026-01-01T12:00:00"),
    _envelope("time is a number", "time", time=1_767_268_800),
    _envelope("time far in the future", "time", time="2999-01-01T00:00:00Z"),
    _envelope("time before 1970", "time", time="1815-12-10T00:00:00Z"),
    _envelope("payload is not JSON", "datacontenttype", datacontenttype="application/xml"),
    _envelope("no data", "data", data=None),
    _envelope("data is a text", "data", data="order"),
    _envelope("data is an array", "data", data=[]),
    _envelope("data in base64", "data_base64", data=None, data_base64="e30="),
    # The payload.
    _data("no order id", "order_id", lambda data: data.pop("order_id")),
    _data("empty order id", "order_id", lambda data: data.update(order_id="")),
    _data("order id with a space", "order_id", lambda data: data.update(order_id="A 1")),
    _data("order id with braces", "order_id", lambda data: data.update(order_id="{A}")),
    _data("order id with a line break", "order_id", lambda data: data.update(order_id="A-1\n")),
    _data("order id of 129 characters", "order_id", lambda data: data.update(order_id="x" * 129)),
    _data("order id is a number", "order_id", lambda data: data.update(order_id=1)),
    _data("no customer", "customer_id", lambda data: data.pop("customer_id")),
    _data("customer is null", "customer_id", lambda data: data.update(customer_id=None)),
    _data("no total", "total", lambda data: data.pop("total")),
    _data("total is a number", "total", lambda data: data.update(total=19.99)),
    _data("amount is a fraction", "total.amount_minor", lambda data: data["total"].update(amount_minor=19.99)),
    _data("amount is a text", "total.amount_minor", lambda data: data["total"].update(amount_minor="1999")),
    _data("amount is true", "total.amount_minor", lambda data: data["total"].update(amount_minor=True)),
    _data("amount above 10^15", "total.amount_minor", lambda data: data["total"].update(amount_minor=10**15 + 1)),
    _data(
        "amount in major units", "total.amount_minor", lambda data: data.update(total={"amount": 20, "currency": "EUR"})
    ),
    _data("no currency", "total.currency", lambda data: data["total"].pop("currency")),
    _data("unknown currency", "total.currency", lambda data: data["total"].update(currency="EUX")),
    _data("currency in lower case", "total.currency", lambda data: data["total"].update(currency="eur")),
    _data("no items", "items", lambda data: data.update(items=[])),
    _data("501 items", "items", lambda data: data.update(items=data["items"][:1] * 501)),
    _data("quantity of zero", "items[0].quantity", lambda data: data["items"][0].update(quantity=0)),
    _data("negative quantity", "items[1].quantity", lambda data: data["items"][1].update(quantity=-1)),
    _data("negative version", "version", lambda data: data.update(version=-1)),
    _data("version beyond 2^53", "version", lambda data: data.update(version=2**53)),
    _typed("failure without a reason", "reason", "payment.failed", order_id="A-1", payment_id="p", amount=_MONEY),
    _typed("delay without a new time", "new_eta", "shipment.delayed", shipment_id="S-1"),
    _typed("arrival in local time", "eta", "shipment.dispatched", shipment_id="S-1", eta="2026-01-02T10:00:00"),
    _typed("attempt number zero", "attempt", "shipment.failed", shipment_id="S-1", reason="nobody home", attempt=0),
    _typed("no address", "email", "user.updated", user_id="mia", email="mia"),
    _typed("address with a line break", "email", "user.updated", user_id="mia", email="mia@example.com\nBcc: x@y.z"),
    _typed("local phone number", "phone", "user.updated", user_id="mia", phone="030 1234567"),
    _typed("offer of 17 KiB", "offer", "sale.ended", sale_id="summer", offer={"text": "x" * 17_408}),
    # Binary mode.
    _binary("binary: no id", "id", id=None),
    _binary("binary: no source", "source", source=None),
    _binary("binary: no specversion", "specversion", specversion=None),
    _binary("binary: time is no time", "time", time="noon"),
    _binary("binary: payload is not JSON", "datacontenttype", datacontenttype="application/avro"),
    _binary("binary: payload in Latin-1", "datacontenttype", datacontenttype="application/json; charset=iso-8859-1"),
    _binary("binary: above 256 KiB", "body", body=b'{"note":"' + b"x" * 262_144 + b'"}'),
    _binary("binary: empty payload", "body", body=b""),
    _binary("binary: broken payload", "body", body=b"{"),
    _binary("binary: payload without fields", "data.order_id", body=b"{}"),
    _binary("unknown CloudEvents format", "content-type", datacontenttype="application/cloudevents+avro"),
)
