"""JSON Schemas of the structs, as the OpenAPI and AsyncAPI documents carry them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from hub.domain.events import PAYLOADS

REF = "#/components/schemas/"
CLOUD_EVENT = "CloudEvent"
Schema = dict[str, Any]

_ATTRIBUTES: Schema = {
    "specversion": {"const": "1.0"},
    "id": {"type": "string", "minLength": 1, "maxLength": 256, "description": "Unique for each event of its source."},
    "source": {"type": "string", "minLength": 1, "maxLength": 512},
    "time": {"type": "string", "format": "date-time", "description": "When it happened; not over 24 h ahead."},
    "subject": {"type": "string", "minLength": 1, "maxLength": 512},
    "datacontenttype": {"type": "string", "description": "application/json, which is also the default."},
    "correlationid": {"type": "string", "minLength": 1, "maxLength": 128},
}


def schemas_of(types: Iterable[type]) -> tuple[dict[type, Schema], dict[str, Schema]]:
    """Return the schema of each type, as references, and the components that they refer to, by name."""
    listed = list(dict.fromkeys(types))
    references, components = msgspec.json.schema_components(listed, ref_template=f"{REF}{{name}}")
    return dict(zip(listed, references, strict=True)), {name: _portable(part) for name, part in components.items()}


def parameters_of(kind: type) -> dict[str, tuple[Schema, bool]]:
    """Return the schema of each field of a struct of plain values, and whether it must be given."""
    name, definitions = kind.__name__, msgspec.json.schema(kind)["$defs"]
    struct = _portable(definitions[name])
    return {field: (part, field in struct.get("required", ())) for field, part in struct["properties"].items()}


def event_name(event_type: str) -> str:
    """Return the name of the component that describes an event of this type in structured mode."""
    return f"event.{event_type}"


def event_schemas() -> dict[str, Schema]:
    """Return the components of all events: payloads, and one envelope for each type."""
    references, components = schemas_of(PAYLOADS.values())
    for event_type, payload in PAYLOADS.items():
        components[event_name(event_type)] = _envelope(event_type, references[payload])
    return components


def cloud_event_schema() -> Schema:
    """Return the schema of any event in structured mode, as OpenAPI 3.1 tells the types apart."""
    mapping = {event_type: f"{REF}{event_name(event_type)}" for event_type in PAYLOADS}
    return {
        "description": "An event in structured mode (CloudEvents 1.0). Other types are accepted and ignored.",
        "oneOf": [{"$ref": reference} for reference in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }


def _envelope(event_type: str, payload: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {**_ATTRIBUTES, "type": {"const": event_type}, "data": payload},
        "required": ["specversion", "id", "source", "type", "data"],
    }


def _portable(part: Any) -> Any:
    r"""Return a schema whose patterns are ECMA-262, which has `$` for Python's `\Z` (JSON Schema core, section 6.4)."""
    match part:
        case dict():
            return {
                name: value.replace(r"\Z", "$") if name == "pattern" and isinstance(value, str) else _portable(value)
                for name, value in part.items()
            }
        case list():
            return [_portable(item) for item in part]
        case _:
            return part
