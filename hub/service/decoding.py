"""Requests to structs: strict, with the name of the field in every complaint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from hub.domain.errors import InputError

T = TypeVar("T")

_AT = re.compile(r" - at (?:`key` in )?`\$?(?P<path>[^`]*)`$")
_NAMED = re.compile(r"^Object (?:missing required|contains unknown) field `(?P<name>[^`]*)`")
BODY = "body"
"""What a complaint names where no field is to blame."""


def decode_json(kind: type[T], body: bytes) -> T:
    """Decode a JSON body. Raises InputError with the field's path."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _complaint(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(BODY, f"is not valid JSON: {error}") from error


def decode_strings(kind: type[T], values: Mapping[str, str]) -> T:
    """Decode a query and path, where every value is text: `limit=20` and `unread=true` become what the field is."""
    try:
        return msgspec.convert(values, type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise _complaint(str(error)) from error


def _complaint(message: str) -> InputError:
    """Split msgspec's `Expected `int`, got `str` - at `$.a[0].b`` into the field and what is wrong with it."""
    at = _AT.search(message)
    path = at["path"].removeprefix(".") if at else ""
    problem = message[: at.start()] if at else message
    if named := _NAMED.match(problem):
        path = f"{path}.{named['name']}" if path else named["name"]
        problem = "is missing" if "missing" in problem else "is not a known field"
    return InputError(path or BODY, problem)
