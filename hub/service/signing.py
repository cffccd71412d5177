"""Signed texts: what we hand out and want to know again when it comes back, in a callback or a link.

A signature is for one purpose, so that what was signed for one door opens no other. Each purpose has a key of its own,
derived from one secret (HMAC-SHA256).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

_SIGNATURE_BYTES = 16
_SEAL_MIN_BYTES = 10
_NEVER = 0


class Signer:
    """Signs and reads texts under one secret. Tokens are fit for a URL's path."""

    def __init__(self, secret: str) -> None:
        """Take the secret, 32 bytes or more."""
        self._secret = secret.encode()
        self._keys: dict[str, bytes] = {}

    def sign(self, purpose: str, text: str, *, expires_s: int = _NEVER) -> str:
        """Return a token for a text, good until `expires_s` (Unix seconds; 0: for ever)."""
        payload = f"{expires_s}.{text}".encode()
        return f"{_encode(payload)}.{_encode(self._signature(purpose, payload))}"

    def read(self, purpose: str, token: str, *, now_s: int) -> str | None:
        """Return the text of a token that was signed here, for this purpose, and is still good; else None."""
        body, _, signature = token.partition(".")
        try:
            payload, given = _decode(body), _decode(signature)
        except ValueError:
            return None
        if not hmac.compare_digest(given, self._signature(purpose, payload)):
            return None
        expires_s, _, text = payload.decode().partition(".")
        return text if int(expires_s) == _NEVER or now_s < int(expires_s) else None

    def seal(self, purpose: str, data: bytes) -> bytes:
        """Return the signature of some bytes alone, 16 bytes, for who has to be brief; `is_sealed` knows it again."""
        return self._signature(purpose, data)

    def is_sealed(self, purpose: str, data: bytes, seal: bytes) -> bool:
        """Say whether a seal, or its first 10 bytes or more, is that of these bytes."""
        whole = self._signature(purpose, data)
        return len(seal) >= _SEAL_MIN_BYTES and hmac.compare_digest(seal, whole[: len(seal)])

    def _signature(self, purpose: str, payload: bytes) -> bytes:
        key = self._keys.get(purpose)
        if key is None:
            key = self._keys[purpose] = hmac.digest(self._secret, purpose.encode(), sha256)
        return hmac.digest(key, payload, sha256)[:_SIGNATURE_BYTES]


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
