"""Tokens: who the bearer of a JWT is. Checked without touching any store, so a storm of reconnects costs only CPU.

RFC 8725 is the rule book: algorithms are pinned and their families never mix, `exp` and `sub` are required, `aud` and
`iss` are checked where configured, and headers that point to keys (`jku`, `x5u`, `jwk`) are never followed. The
signatures are PyJWT's; the frame around them is ours, because PyJWT's own `decode` costs three times the budget.
"""

from __future__ import annotations

import time
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jwt
import msgspec
from jwt.algorithms import Algorithm

from hub.domain.permission import Identity, Role, SubscriptionGrant, TokenInvalid
from hub.domain.topics import is_valid
from hub.service.identity import token_claims
from hub.service.identity.token_claims import ConnectionClaims, SubscriptionClaims, is_user_id
from hub.settings import Token

MAX_TOKEN_BYTES = 8_192
_CACHED_HEADERS = 64
_URL_SAFE = bytes.maketrans(b"-_+/=", b"+/!!!")
"""RFC 7515 section 2: base64url without padding, and nothing else."""
_ABSENT = msgspec.Raw()
_HMAC_DEFAULT = ("HS256",)
_PUBLIC_DEFAULT = ("RS256", "ES256", "EdDSA")
_C = TypeVar("_C", ConnectionClaims, SubscriptionClaims)


class _Header(msgspec.Struct, frozen=True):
    alg: str
    typ: str = "JWT"
    kid: str | None = None
    crit: msgspec.Raw = _ABSENT


class VerificationKey(msgspec.Struct, frozen=True):
    """A key ready to check signatures with `algorithm`. `kid` is None where the key has no name."""

    algorithm: str
    checker: Algorithm
    key: Any
    kid: str | None = None


Keys = Callable[[str, str | None], Sequence[VerificationKey]]
"""The keys that a token with this algorithm and key id may be signed with. Raises TokenInvalid, TokenUnverifiable."""


def pinned_algorithms(settings: Token) -> tuple[str, ...]:
    """Return the only algorithms that are accepted with these settings."""
    return settings.algorithms or (_HMAC_DEFAULT if settings.hmac_secret else _PUBLIC_DEFAULT)


class TokenVerifier:
    """Tells who the bearer of a token is. `keys` finds the public keys; None where an HMAC secret is configured."""

    def __init__(self, settings: Token, *, keys: Keys | None = None) -> None:
        self._settings = settings
        self._algorithms = frozenset(pinned_algorithms(settings))
        self._keys = _secret_keys(settings) if settings.hmac_secret else (keys or _no_keys)
        self._roles = frozenset(settings.roles)
        self._headers: dict[bytes, _Header] = {}
        self._connection_claims = msgspec.json.Decoder(ConnectionClaims)
        self._subscription_claims = msgspec.json.Decoder(SubscriptionClaims)

    def verify(self, token: str, now_s: float) -> Identity:
        """Return the bearer of a connection token, at Unix time `now_s`.

        Raises TokenExpired; TokenInvalid; TokenUnverifiable while the issuer's keys are not known yet.
        """
        claims = self._claims(token, self._connection_claims, now_s)
        return token_claims.identity_of(claims, self._roles)

    def verify_subscription(self, token: str, now_s: float) -> SubscriptionGrant:
        """Return what a subscription token grants; raises as `verify` does."""
        return token_claims.grant_of(self._claims(token, self._subscription_claims, now_s))

    def _claims(self, token: str, decoder: msgspec.json.Decoder[_C], now_s: float) -> _C:
        header, payload, signed, signature = self._split(token)
        if not any(key.checker.verify(signed, key.key, signature) for key in self._keys_for(header)):
            raise TokenInvalid("the token's signature does not match")
        try:
            claims = decoder.decode(_unpadded(payload))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise TokenInvalid(f"the token's claims are not valid: {error}") from error
        token_claims.check(claims, self._settings, now_s)
        return claims

    def _split(self, token: str) -> tuple[_Header, bytes, bytes, bytes]:
        try:
            raw = token.encode("ascii")
        except UnicodeEncodeError as error:
            raise TokenInvalid("this is no token") from error
        signed, _, signature = raw.rpartition(b".")
        header, _, payload = signed.partition(b".")
        if len(raw) > MAX_TOKEN_BYTES or not header or not payload:
            raise TokenInvalid("this is no token")
        return self._header(header), payload, signed, _unpadded(signature)

    def _header(self, segment: bytes) -> _Header:
        """Decode a header, once for all tokens that share it: an issuer has one for each of its keys."""
        known = self._headers.get(segment)
        if known is not None:
            return known
        try:
            header = msgspec.json.decode(_unpadded(segment), type=_Header)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise TokenInvalid(f"the token's header is not valid: {error}") from error
        if header.alg not in self._algorithms:
            raise TokenInvalid("the token's algorithm is not accepted")
        # RFC 7515 section 4.1.11: a header that must be understood and is not makes the token invalid.
        if header.typ.upper() not in {"JWT", "AT+JWT"} or header.crit:
            raise TokenInvalid("this is no token for connecting")
        if len(self._headers) < _CACHED_HEADERS:
            self._headers[segment] = header
        return header

    def _keys_for(self, header: _Header) -> Sequence[VerificationKey]:
        return [key for key in self._keys(header.alg, header.kid) if key.algorithm == header.alg]


def mint_token(
    settings: Token, *, user: str, role: Role, ttl_s: int, info: Any = None, now_s: float | None = None
) -> str:
    """Return a connection token signed with the HMAC secret.

    Raises ValueError where there is none, or for a bad user id.
    """
    return _mint(settings, {"sub": user, "role": role.value, "info": info}, ttl_s=ttl_s, now_s=now_s)


def mint_subscription_token(
    settings: Token, *, user: str, topic: str, ttl_s: int, info: Any = None, now_s: float | None = None
) -> str:
    """Return a token that opens a topic to somebody. Raises ValueError as `mint_token`, and for a bad topic."""
    if not is_valid(topic):
        raise ValueError(f"{topic!r} is not a topic")
    return _mint(settings, {"sub": user, "channel": topic, "info": info}, ttl_s=ttl_s, now_s=now_s)


def _mint(settings: Token, claims: dict[str, Any], *, ttl_s: int, now_s: float | None) -> str:
    if not settings.hmac_secret:
        raise ValueError("token.hmac_secret is not set: tokens come from the issuer of the configured public keys")
    if not is_user_id(claims["sub"]):
        raise ValueError(f"{claims['sub']!r} is not a user id")
    issued_s = int(time.time() if now_s is None else now_s)
    every = {**claims, "iat": issued_s, "exp": issued_s + ttl_s, "aud": settings.audience, "iss": settings.issuer}
    given = {name: value for name, value in every.items() if value}
    return jwt.encode(given, settings.hmac_secret, algorithm=pinned_algorithms(settings)[0])


def _unpadded(segment: bytes) -> bytes:
    try:
        return a2b_base64(segment.translate(_URL_SAFE) + b"=" * (-len(segment) % 4), strict_mode=True)
    except (Base64Error, ValueError) as error:
        raise TokenInvalid("this is no token") from error


def verification_key(algorithm: str, material: str | bytes, *, kid: str | None) -> VerificationKey:
    """Return a key made from a secret or a PEM text. Raises jwt.InvalidKeyError, ValueError, TypeError."""
    checker = jwt.get_algorithm_by_name(algorithm)
    return VerificationKey(algorithm, checker, checker.prepare_key(material), kid)


def _secret_keys(settings: Token) -> Keys:
    algorithms = pinned_algorithms(settings)
    keys = {name: verification_key(name, settings.hmac_secret, kid=None) for name in algorithms}
    return lambda algorithm, _: (keys[algorithm],)


def _no_keys(_: str, __: str | None) -> Sequence[VerificationKey]:
    raise TokenInvalid("no token keys are configured: set token.hmac_secret or public keys")
