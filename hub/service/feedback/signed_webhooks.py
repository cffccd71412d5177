"""Signatures of webhooks: who knows the secret has sent exactly this body, and not long ago. Pure.

    Doorbell-Signature: t=1764842400,v1=5257a869e7…

`v1` is HMAC-SHA256, in hex, of `<t>.<body>`. There may be several, while a secret is being changed.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256

HEADER = "Doorbell-Signature"
WINDOW_S = 300
"""How far the time of a signature may lie from ours: an older one may be a repetition by somebody who listened."""
_TIME = re.compile(r"\d{1,12}")
_SIGNATURES_MAX = 4


def sign(secret: str, body: bytes, *, at_s: int) -> str:
    """Return the header for a body sent at `at_s`, Unix seconds."""
    return f"t={at_s},v1={_signature(secret, str(at_s), body)}"


def is_signed(secret: str, header: str, body: bytes, *, now_s: int) -> bool:
    """Say whether a body was signed with the secret within the window."""
    times: list[str] = []
    signatures: list[str] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1":
            signatures.append(value)
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or abs(now_s - int(times[0])) > WINDOW_S:
        return False
    expected = _signature(secret, times[0], body).encode()
    given = [each.encode() for each in signatures[:_SIGNATURES_MAX]]
    return any(hmac.compare_digest(each, expected) for each in given)


def _signature(secret: str, at: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), at.encode() + b"." + body, sha256).hex()
