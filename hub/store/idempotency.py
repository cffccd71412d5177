"""Idempotency keys: a write sent again with the same key gets the first one's answer."""

from __future__ import annotations

import secrets
from typing import TypeAlias

import msgspec

from hub.store.keys import Keys
from hub.store.scripts import Call, Scripts, load_script
from hub.store.server import Server

_BEGIN = load_script("idempotency_begin")
_FINISH = load_script("idempotency_finish")


class Fresh(msgspec.Struct, frozen=True):
    """Nobody has used the key: carry the request out, then `finish` or `release` with this."""

    caller: str
    key: str
    fingerprint: str
    token: str


class Replay(msgspec.Struct, frozen=True):
    """The request has been carried out: give this answer."""

    answer: bytes


class InProgress(msgspec.Struct, frozen=True):
    """Another try of the request is under way."""


class Mismatch(msgspec.Struct, frozen=True):
    """The key was used for another request."""


Beginning: TypeAlias = Fresh | Replay | InProgress | Mismatch


class Idempotency:
    """The idempotency keys of one installation. Every method raises StoreUnavailable."""

    def __init__(
        self, server: Server, scripts: Scripts, keys: Keys, *, ttl_s: int = 86_400, in_progress_s: int = 60
    ) -> None:
        """Take `ttl_s`: how long an answer is kept, and `in_progress_s`: when a try that never ended stops counting."""
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._ttl_s = ttl_s
        self._in_progress_s = in_progress_s

    async def begin(self, caller: str, key: str, fingerprint: str) -> Beginning:
        """Claim a caller's key for the request with this fingerprint."""
        token = secrets.token_hex(8)
        call = Call((self._keys.idempotency(caller, key),), (fingerprint, token, self._in_progress_s))
        match await self._scripts.run(_BEGIN, call):
            case [b"fresh"]:
                return Fresh(caller, key, fingerprint, token)
            case [b"answer", answer]:
                return Replay(answer)
            case [b"mismatch"]:
                return Mismatch()
            case _:
                return InProgress()

    async def finish(self, claim: Fresh, answer: bytes) -> bool:
        """Keep the answer for repeats. False: the claim had become void and somebody else has claimed the key since."""
        return await self._end(claim, self._ttl_s, answer)

    async def release(self, claim: Fresh) -> bool:
        """Give the key back: the request failed, a repeat is carried out anew. False as for `finish`."""
        return await self._end(claim, 0, b"")

    async def _end(self, claim: Fresh, ttl_s: int, answer: bytes) -> bool:
        call = Call((self._keys.idempotency(claim.caller, claim.key),), (claim.token, ttl_s, answer, claim.fingerprint))
        return bool(await self._scripts.run(_FINISH, call))
