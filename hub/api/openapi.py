"""The OpenAPI 3.1 document, made from the operations table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from hub.api.problems import MEDIA_TYPE, Problem
from hub.api.schemas import CLOUD_EVENT, Schema, cloud_event_schema, event_schemas, parameters_of, schemas_of
from hub.service.failures import FAILURES, Failure
from hub.service.operations import AnyOperation, Document, Repeat
from hub.service.repeats import MAX_KEY_LENGTH

_JSON = "application/json"
_SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"apiKey": []}]
_REASONS = {200: "Done", 202: "Accepted: everything is written"}


def openapi_document(operations: Iterable[AnyOperation], *, version: str, public_url: str) -> dict[str, Any]:
    """Return the document. `version` is Doorbell's own; `public_url` is where clients reach it."""
    listed = list(operations)
    types: list[type] = [Problem, *(operation.response for operation in listed)]
    types += [each.request for each in listed if each.http.reads_body and each.request is not Document]
    references, components = schemas_of(types)
    paths: dict[str, dict[str, Any]] = {}
    for operation in listed:
        item = paths.setdefault(operation.http.path, {})
        item[operation.http.method.lower()] = _operation(operation, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Doorbell",
            "version": version,
            "description": "The operations of the hub. Each is also an `rpc` method of the same name on a socket.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "security": _SECURITY,
        "tags": [{"name": name} for name in sorted({_tag(operation) for operation in listed})],
        "paths": paths,
        "components": {
            "schemas": {**components, **event_schemas(), CLOUD_EVENT: cloud_event_schema()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "apiKey": {"type": "http", "scheme": "bearer", "description": "A service's `db_live_...` key."},
            },
        },
    }


def _tag(operation: AnyOperation) -> str:
    return operation.name.partition(".")[0]


def _operation(operation: AnyOperation, references: dict[type, Schema]) -> dict[str, Any]:
    rate = operation.rate
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"For {', '.join(sorted(operation.roles))}. At most {rate.count} in {rate.window_s:g} s.",
        "tags": [_tag(operation)],
        "parameters": list(_parameters(operation)),
        "responses": {**_success(operation, references), **_failures(operation, references)},
        "x-repeat": operation.repeat.value,
    }
    if operation.http.reads_body:
        described["requestBody"] = {"required": True, "content": _content(operation, references)}
    return described


def _parameters(operation: AnyOperation) -> Iterator[dict[str, Any]]:
    if not operation.http.reads_body:
        for name, (schema, required) in parameters_of(operation.request).items():
            place = "path" if f"{{{name}}}" in operation.http.path else "query"
            yield {"name": name, "in": place, "required": required or place == "path", "schema": schema}
    if operation.repeat is Repeat.KEYED:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "The same key with the same request gets the first one's answer, for a day.",
            "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH},
        }


def _content(operation: AnyOperation, references: dict[type, Schema]) -> dict[str, Any]:
    if operation.request is Document:
        return {media.content_type: {"schema": {**media.schema}} for media in operation.media}
    return {_JSON: {"schema": references[operation.request]}}


def _success(operation: AnyOperation, references: dict[type, Schema]) -> dict[str, Any]:
    headers = {name: {"schema": {"type": "string"}} for name in ("RateLimit", "RateLimit-Policy", "X-Request-Id")}
    content = {_JSON: {"schema": references[operation.response]}}
    status = operation.http.status
    return {str(status): {"description": _REASONS[status], "headers": headers, "content": content}}


def _failures(operation: AnyOperation, references: dict[type, Schema]) -> dict[str, Any]:
    by_status = groupby(sorted(operation.failures, key=_status), key=_status)
    return {str(status): _failure(list(failures), references) for status, failures in by_status}


def _status(failure: Failure) -> int:
    return FAILURES[failure].status


def _failure(failures: list[Failure], references: dict[type, Schema]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": " ".join(f"`{failure}`: {FAILURES[failure].meaning}" for failure in failures),
        "content": {MEDIA_TYPE: {"schema": references[Problem]}},
    }
    if any(FAILURES[failure].temporary and failure is not Failure.TOKEN_EXPIRED for failure in failures):
        described["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return described
