"""Repeats: a write sent again with the same Idempotency-Key gets the first one's answer and does nothing.

The key belongs to the caller. With it goes a fingerprint of the operation and the request, so that a key used for
another request is a mistake that is told, not an answer to a question nobody asked.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol

import msgspec

from hub.domain.errors import InputError
from hub.service.operations import AnyOperation, Call

MAX_KEY_LENGTH = 128
_FINGERPRINT_BYTES = 16


class Claim(Protocol):
    """The right to carry a request out; or, where `answer` is not None, the answer it already got."""

    answer: bytes | None

    async def keep(self, answer: bytes) -> None:
        """Remember the answer for repeats."""

    async def release(self) -> None:
        """Forget the claim: the request failed, a repeat is carried out anew."""


class Repeats(Protocol):
    """Tells repeats from first requests."""

    async def claim(self, operation: AnyOperation, call: Call, request: object) -> Claim:
        """Claim the call's key. Raises OperationFailed (IN_PROGRESS, KEY_REUSED) and InputError for a bad key."""


class _Unkeyed:
    """The claim of a call that nothing is remembered about."""

    answer: bytes | None = None

    async def keep(self, answer: bytes) -> None:
        """Remember nothing."""

    async def release(self) -> None:
        """Forget nothing."""


UNKEYED: Claim = _Unkeyed()


class NoRepeats:
    """Carries out every call, for installations and tests without a memory."""

    async def claim(self, operation: AnyOperation, call: Call, request: object) -> Claim:
        """Claim nothing."""
        return UNKEYED


def checked_key(key: str) -> str:
    """Return an Idempotency-Key: 1-128 printable ASCII characters. Raises InputError."""
    if not 0 < len(key) <= MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise InputError("Idempotency-Key", f"must be 1 to {MAX_KEY_LENGTH} printable ASCII characters")
    return key


def fingerprint(operation: AnyOperation, request: object) -> str:
    """Return a digest that two requests share only if they ask for the same."""
    body = msgspec.json.encode((operation.name, request), order="deterministic")
    return blake2b(body, digest_size=_FINGERPRINT_BYTES).hexdigest()
