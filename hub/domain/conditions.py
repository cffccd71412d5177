"""Conditions of a playbook rule: `total.amount_minor >= 10000`, `reason exists`, `status in ["packed"]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, assert_never

import msgspec

_SHAPE = re.compile(
    r"\s*(?P<path>[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*)\s*"
    r"(?:(?P<test>\bexists|\bmissing)|(?P<op>==|!=|<=|>=|<|>|\bin\b)\s*(?P<value>.+?))\s*"
)


class Operator(StrEnum):
    """What a condition compares by."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    IN = "in"
    EXISTS = "exists"
    MISSING = "missing"


class Condition(msgspec.Struct, frozen=True):
    """One condition on a variable of the context. `value` is a JSON value; None with `exists` and `missing`."""

    text: str
    path: tuple[str, ...]
    operator: Operator
    value: Any = None


class ConditionError(ValueError):
    """A condition cannot be read; the message says what one looks like."""


def parse(text: str) -> Condition:
    """Read one condition: `path operator value` with a JSON value, or `path exists|missing`. Raises ConditionError."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ConditionError("write `variable operator value`, such as `total.amount_minor >= 10000`")
    path = tuple(found["path"].split("."))
    if found["test"]:
        return Condition(text, path, Operator(found["test"]))
    operator = Operator(found["op"])
    try:
        value = msgspec.json.decode(found["value"])
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise ConditionError(f'write the value as JSON, texts in quotes: `{found["path"]} {operator} "text"`') from None
    if operator is Operator.IN and not isinstance(value, list):
        raise ConditionError('write a list after `in`: `status in ["packed", "placed"]`')
    if operator in _ORDERINGS and (isinstance(value, bool) or not isinstance(value, int | float | str)):
        raise ConditionError(f"`{operator}` compares numbers or texts")
    return Condition(text, path, operator, value)


_ORDERINGS = frozenset({Operator.LESS, Operator.AT_MOST, Operator.GREATER, Operator.AT_LEAST})


def holds(condition: Condition, context: Mapping[str, Any]) -> bool:
    """Say whether a condition is true of a context. What is not there, or of another type, is never less or more."""
    actual = look_up(condition.path, context)
    match condition.operator:
        case Operator.EXISTS:
            return actual is not None
        case Operator.MISSING:
            return actual is None
        case Operator.EQUAL:
            return bool(actual == condition.value)
        case Operator.NOT_EQUAL:
            return bool(actual != condition.value)
        case Operator.IN:
            return actual in condition.value
        case Operator.LESS | Operator.AT_MOST | Operator.GREATER | Operator.AT_LEAST:
            return _compared(actual, condition)
        case _:
            assert_never(condition.operator)


def look_up(path: tuple[str, ...], context: Mapping[str, Any]) -> Any:
    """Return the value a path leads to, None where it leads nowhere."""
    value: Any = context
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _compared(actual: Any, condition: Condition) -> bool:
    expected = condition.value
    numbers = isinstance(actual, int | float) and not isinstance(actual, bool) and isinstance(expected, int | float)
    if not numbers and not (isinstance(actual, str) and isinstance(expected, str)):
        return False
    match condition.operator:
        case Operator.LESS:
            return bool(actual < expected)
        case Operator.AT_MOST:
            return bool(actual <= expected)
        case Operator.GREATER:
            return bool(actual > expected)
        case _:
            return bool(actual >= expected)
