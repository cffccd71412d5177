"""Signed texts: what we hand out and want to know again when it comes back, in a callback or a link.

A signature is for one purpose, so that what was signed for one door opens no other. Each purpose has a key of its own,
derived from one secret (HMAC-SHA256). A secret can be changed: what was signed with a former one is read as before.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256

_SIGNATURE_BYTES = 16
_SEAL_MIN_BYTES = 10
_NEVER = 0


class Signer:
    """Signs texts under one secret, and reads them. Tokens are fit for a URL's path."""

    def __init__(self, secret: str, *, former: Sequence[str] = ()) -> None:
        """Take the secret, 32 bytes or more, and `former` ones, which sign nothing any more."""
        self._secrets = tuple(each.encode() for each in (secret, *former))
        self._keys: dict[str, tuple[bytes, ...]] = {}

    def sign(self, purpose: str, text: str, *, expires_s: int = _NEVER) -> str:
        """Return a token for a text, good until `expires_s` (Unix seconds; 0: for ever)."""
        payload = f"{expires_s}.{text}".encode()
        return f"{_encode(payload)}.{_encode(self.seal(purpose, payload))}"

    def read(self, purpose: str, token: str, *, now_s: int) -> str | None:
        """Return the text of a token that was signed here, for this purpose, and is still good; else None."""
        body, _, signature = token.partition(".")
        try:
            payload, given = _decode(body), _decode(signature)
        except ValueError:
            return None
        if not any(hmac.compare_digest(given, each) for each in self._signatures(purpose, payload)):
            return None
        expires_s, _, text = payload.decode().partition(".")
        return text if int(expires_s) == _NEVER or now_s < int(expires_s) else None

    def seal(self, purpose: str, data: bytes) -> bytes:
        """Return the signature of some bytes alone, 16 bytes, for who has to be brief; `is_sealed` knows it again."""
        return next(self._signatures(purpose, data))

    def is_sealed(self, purpose: str, data: bytes, seal: bytes) -> bool:
        """Say whether a seal, or its first 10 bytes or more, is that of these bytes."""
        return len(seal) >= _SEAL_MIN_BYTES and any(
            hmac.compare_digest(seal, whole[: len(seal)]) for whole in self._signatures(purpose, data)
        )

    def _signatures(self, purpose: str, payload: bytes) -> Iterator[bytes]:
        """Yield the signature by the secret, then those by the former ones."""
        keys = self._keys.get(purpose)
        if keys is None:
            keys = self._keys[purpose] = tuple(hmac.digest(each, purpose.encode(), sha256) for each in self._secrets)
        for key in keys:
            yield hmac.digest(key, payload, sha256)[:_SIGNATURE_BYTES]


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
