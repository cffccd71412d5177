"""What JSON decoders let pass and Doorbell does not: repeated names, NaN, deep nesting, lone surrogates.

RFC 8259 leaves the meaning of a repeated name open, so two readers of one event could see two different facts.
The typed decoding afterwards is msgspec's, which is as strict as one can wish about everything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

from hub.domain.errors import InputError, TooLarge

MAX_BODY_BYTES = 256 * 1024
MAX_NESTING = 32
WHOLE = "body"
"""The field of a mistake that is not in any one field."""


def check(body: bytes, *, max_bytes: int = MAX_BODY_BYTES, max_nesting: int = MAX_NESTING) -> None:
    """Raise InputError (field `body`, or the repeated name) unless `body` is JSON that all readers read alike."""
    if len(body) > max_bytes:
        raise TooLarge(WHOLE, f"{len(body)} bytes, at most {max_bytes}")
    if not body:
        raise InputError(WHOLE, "empty")
    if _is_plainly_fine(body, max_nesting):
        return
    tree = _parse(body, max_nesting)
    # Every level costs a bracket: counting them (in C) settles nearly all bodies without looking closer.
    if body.count(b"{") + body.count(b"[") > max_nesting and _nesting(tree) > max_nesting:
        raise InputError(WHOLE, f"nested deeper than {max_nesting} levels")
    if b"\\u" in body:
        _refuse_lone_surrogates(tree)


def _is_plainly_fine(body: bytes, max_nesting: int) -> bool:
    """Say yes where a quick look is enough, which it is for nearly all bodies; it costs a fifth of a close one.

    A reader that keeps one of two equal names writes fewer strings than it read. Without escapes every string has two
    quotation marks, so their number tells. Every level of nesting has a bracket, so few brackets cannot nest deep.
    """
    if b"\\" in body or body.count(b"{") + body.count(b"[") > max_nesting:
        return False
    try:
        return orjson.dumps(orjson.loads(body)).count(b'"') == body.count(b'"')
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return False


def _parse(body: bytes, max_nesting: int) -> Any:
    try:
        return _DECODE(body.decode())
    except UnicodeDecodeError as error:
        raise InputError(WHOLE, f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        problem = "starts with a byte order mark" if body.startswith(b"\xef\xbb\xbf") else f"not JSON: {error}"
        raise InputError(WHOLE, problem) from None
    except RecursionError:
        raise InputError(WHOLE, f"nested deeper than {max_nesting} levels") from None
    except ValueError as error:
        # An integer of thousands of digits.
        raise InputError(WHOLE, f"not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise InputError(next(name for name in names if names.count(name) > 1), "given twice in one object")
    return found


def _refuse_constant(name: str) -> Any:
    raise InputError(WHOLE, f"{name} is not JSON")


_DECODE: Callable[[str], Any] = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant).decode


def _nesting(tree: Any) -> int:
    """Return how many levels of objects and arrays `tree` has, level by level so that depth costs no recursion."""
    levels = 0
    level = [tree]
    while level := [node for node in level if isinstance(node, dict | list)]:
        levels += 1
        level = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]
    return levels


def _refuse_lone_surrogates(tree: Any) -> None:
    try:
        json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InputError(WHOLE, "half of a surrogate pair") from None
