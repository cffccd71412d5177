from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from hub.api.asyncapi import TOPICS, asyncapi_document
from hub.api.openapi import openapi_document
from hub.domain.events import PAYLOADS
from hub.domain.topics import BUILT_IN, CHAT
from hub.service.calls import Operations
from hub.service.failures import FAILURES, Failure
from hub.service.intake.events import Events
from hub.service.operations import AnyOperation
from hub.service.person.inbox import InboxService
from hub.service.person.orders import Orders
from hub.service.sending.notifications import Notifications
from hub.service.topics.attendance import Attendances
from hub.service.topics.histories import Histories
from hub.service.topics.installation import Installation
from hub.service.topics.people import PeoplesConnections
from hub.service.topics.publishing import Publishing
from tests.unit.api.api_fakes import FakeCancelKeys, FakeIngest, FakeSender, order_placed

URL = "https://shop.example"
ASYNCAPI_SCHEMA = Path(__file__).with_name("asyncapi-3.0.0.json.gz")
"""The specification's own JSON Schema: @asyncapi/specs 6.11.1, Apache-2.0."""
NOTHING: Any = None
ALL: tuple[AnyOperation, ...] = (
    *InboxService(NOTHING).operations(),
    *Orders(NOTHING).operations(),
    *Events(FakeIngest()).operations(),
    *Notifications(FakeSender(), cancel_keys=FakeCancelKeys(), templates={}).operations(),
    *Publishing(NOTHING, NOTHING).operations(),
    *Histories(NOTHING, NOTHING).operations(),
    *Attendances(NOTHING, NOTHING).operations(),
    *PeoplesConnections(NOTHING, NOTHING).operations(),
    *Installation(NOTHING).operations(),
)


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    # Through JSON, as clients get it.
    document: dict[str, Any] = json.loads(msgspec.json.encode(openapi_document(ALL, version="1.2.3", public_url=URL)))
    return document


@pytest.fixture(scope="module")
def asyncapi() -> dict[str, Any]:
    made = asyncapi_document(
        ALL,
        version="1.2.3",
        public_url=URL,
        kafka_topics=["orders"],
        outcomes_topic="outcomes",
        rabbitmq_exchange="shop.events",
    )
    document: dict[str, Any] = json.loads(msgspec.json.encode(made))
    return document


def references(part: Any) -> Iterator[str]:
    match part:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for value in part.values():
                yield from references(value)
        case list():
            for item in part:
                yield from references(item)


def found(document: dict[str, Any], reference: str) -> Any:
    part: Any = document
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    return part


def test_outcomes_are_sent_to_their_topic(asyncapi: dict[str, Any]) -> None:
    operation = asyncapi["operations"]["send.kafka.outcomes"]
    channel = found(asyncapi, operation["channel"]["$ref"])
    message = found(asyncapi, channel["messages"]["OutcomeEvent"]["$ref"])
    data = found(asyncapi, found(asyncapi, message["payload"]["$ref"])["properties"]["data"]["$ref"])
    assert (operation["action"], channel["address"]) == ("send", "outcomes")
    assert {"notification_id", "user_id", "at_ms"} == set(data["required"])


def test_every_operation_is_in_the_openapi_document_with_all_its_failures(openapi: dict[str, Any]) -> None:
    described = {item["operationId"]: item for path in openapi["paths"].values() for item in path.values()}
    assert set(described) == {operation.name for operation in ALL}
    for operation in ALL:
        statuses = {str(FAILURES[failure].status) for failure in operation.failures} | {str(operation.http.status)}
        assert set(described[operation.name]["responses"]) == statuses


def test_path_and_query_fields_are_parameters(openapi: dict[str, Any]) -> None:
    (order_id,) = openapi["paths"]["/v1/orders/{order_id}"]["get"]["parameters"]
    assert (order_id["in"], order_id["required"]) == ("path", True)
    assert {item["name"] for item in openapi["paths"]["/v1/inbox"]["get"]["parameters"]} == {
        "cursor", "limit", "unread", "category", "archived",
    }  # fmt: skip


def test_writes_take_an_idempotency_key(openapi: dict[str, Any]) -> None:
    for path in ("/v1/events", "/v1/notifications"):
        assert [item["name"] for item in openapi["paths"][path]["post"]["parameters"]] == ["Idempotency-Key"]


def test_the_event_schema_takes_a_good_event_and_refuses_a_bad_one(openapi: dict[str, Any]) -> None:
    schema = {"$ref": "#/components/schemas/CloudEvent", "components": openapi["components"]}
    validator = Draft202012Validator(schema)
    assert validator.is_valid(order_placed())
    assert not validator.is_valid(order_placed(customer_id="two words"))
    assert not validator.is_valid({**order_placed(), "specversion": "0.3"})


def test_no_pattern_is_python_only(openapi: dict[str, Any], asyncapi: dict[str, Any]) -> None:
    assert "\\Z" not in json.dumps([openapi, asyncapi])


def test_the_asyncapi_document_is_valid(asyncapi: dict[str, Any]) -> None:
    check = Draft7Validator(json.loads(gzip.decompress(ASYNCAPI_SCHEMA.read_bytes())))
    assert [error.message for error in check.iter_errors(asyncapi)] == []
    assert not check.is_valid({**asyncapi, "info": {"title": "no version"}})


def test_every_reference_of_both_documents_leads_somewhere(openapi: dict[str, Any], asyncapi: dict[str, Any]) -> None:
    for document in (openapi, asyncapi):
        for reference in references(document):
            assert found(document, reference) is not None


def test_every_event_type_may_come_in_each_way(asyncapi: dict[str, Any]) -> None:
    for way_in in ("kafka.orders", "rabbitmq", "http"):
        assert set(asyncapi["channels"][way_in]["messages"]) == {f"event.{name}" for name in PAYLOADS}


def test_every_built_in_topic_is_described() -> None:
    assert {topic.namespace for topic in TOPICS} == {namespace.name for namespace in BUILT_IN} - {CHAT}


def test_messages_of_an_operation_belong_to_its_channel(asyncapi: dict[str, Any]) -> None:
    for operation in asyncapi["operations"].values():
        for message in operation.get("messages", ()):
            assert message["$ref"].startswith(f"{operation['channel']['$ref']}/messages/")


def test_parameters_of_an_address_are_described(asyncapi: dict[str, Any]) -> None:
    for channel in asyncapi["channels"].values():
        for name in channel.get("parameters", {}):
            assert f"{{{name}}}" in channel["address"]


def test_names_of_operations_are_unique(operations: Operations) -> None:
    assert len({operation.name for operation in ALL}) == len(ALL)
    assert len({(operation.http.method, operation.http.path) for operation in ALL}) == len(ALL)


def test_the_error_table_knows_every_failure() -> None:
    assert set(FAILURES) == set(Failure)
