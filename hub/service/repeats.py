"""Repeats: a write sent again with the same Idempotency-Key gets the first one's answer and does nothing.

The key belongs to the caller. With it goes a fingerprint of the operation and the request, so that a key used for
another request is a mistake that is told, not an answer to a question nobody asked.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol, assert_never

import msgspec

from hub.domain.errors import InputError, StoreUnavailable
from hub.observe import logger
from hub.service.failures import Failure, OperationFailed
from hub.service.operations import AnyOperation, Call, Repeat
from hub.store.idempotency import Beginning, Fresh, InProgress, Mismatch, Replay

_log = logger(__name__)
MAX_KEY_LENGTH = 128
RETRY_AFTER_S = 1.0
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


class Answers(Protocol):
    """Where answers are remembered (hub.store.idempotency). Every method raises StoreUnavailable."""

    async def begin(self, caller: str, key: str, fingerprint: str) -> Beginning:
        """Claim a caller's key."""
        ...

    async def finish(self, claim: Fresh, answer: bytes) -> bool:
        """Keep the answer."""
        ...

    async def release(self, claim: Fresh) -> bool:
        """Give the key back."""
        ...


class _Replayed:
    """The claim of a repeat: its answer is there."""

    def __init__(self, answer: bytes) -> None:
        self.answer: bytes | None = answer

    async def keep(self, answer: bytes) -> None:
        """It is kept."""

    async def release(self) -> None:
        """Nothing was claimed."""


class _Claimed:
    """The claim of a first request.

    Redis may go away before the claim is settled. The write is done or undone all the same, so the caller is told about
    that; a repeat is refused until the claim runs out, and then carried out again, which changes nothing: what a write
    makes has ids derived from its key.
    """

    answer: bytes | None = None

    def __init__(self, answers: Answers, fresh: Fresh) -> None:
        self._answers = answers
        self._fresh = fresh

    async def keep(self, answer: bytes) -> None:
        """Remember the answer for repeats."""
        try:
            await self._answers.finish(self._fresh, answer)
        except StoreUnavailable as error:
            _log.warning("answer_not_kept", caller=self._fresh.caller, problem=str(error))

    async def release(self) -> None:
        """Let a repeat be carried out."""
        try:
            await self._answers.release(self._fresh)
        except StoreUnavailable as error:
            _log.warning("key_not_released", caller=self._fresh.caller, problem=str(error))


class StoredRepeats:
    """Remembers the answers to calls of keyed operations that carry a key; a key on other operations means nothing."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def claim(self, operation: AnyOperation, call: Call, request: object) -> Claim:
        """Claim the call's key. Raises OperationFailed (IN_PROGRESS, KEY_REUSED), StoreUnavailable."""
        if call.idempotency_key is None or operation.repeat is not Repeat.KEYED:
            return UNKEYED
        began = await self._answers.begin(call.who.user, call.idempotency_key, fingerprint(operation, request))
        match began:
            case Fresh():
                return _Claimed(self._answers, began)
            case Replay(answer):
                return _Replayed(answer)
            case InProgress():
                detail = "a request with this Idempotency-Key is being carried out"
                raise OperationFailed(Failure.IN_PROGRESS, detail, retry_after_s=RETRY_AFTER_S)
            case Mismatch():
                raise OperationFailed(Failure.KEY_REUSED, "use a new key for a new request")
            case _:
                assert_never(began)


def checked_key(key: str) -> str:
    """Return an Idempotency-Key: 1-128 printable ASCII characters. Raises InputError."""
    if not 0 < len(key) <= MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise InputError("Idempotency-Key", f"must be 1 to {MAX_KEY_LENGTH} printable ASCII characters")
    return key


def fingerprint(operation: AnyOperation, request: object) -> str:
    """Return a digest that two requests share only if they ask for the same."""
    body = msgspec.json.encode((operation.name, request), order="deterministic")
    return blake2b(body, digest_size=_FINGERPRINT_BYTES).hexdigest()
