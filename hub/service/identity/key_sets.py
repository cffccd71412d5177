"""The public keys of token issuers: from files, read once, and from a JWKS URL, kept fresh in the background.

Checking a token never waits for the network. A token with an unknown key id only asks the background task to look
again, which it does at most once in 30 s, however many such tokens come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from hub.domain.errors import ConfigurationError, Mistake
from hub.domain.permission import TokenInvalid, TokenUnverifiable
from hub.observe import logger, without_password
from hub.service.identity.tokens import VerificationKey, pinned_algorithms, verification_key
from hub.settings import Token

_log = logger(__name__)
REFRESH_S = 300.0
MIN_REFRESH_S = 30.0
FIRST_RETRY_S = 2.0
FETCH_TIMEOUT_S = 5.0
MAX_JWKS_BYTES = 262_144
MAX_KEYS = 64
MIN_RSA_BITS = 2_048
"""RFC 7518 section 3.3."""
_PUBLIC_FIELDS = ("kty", "n", "e", "crv", "x", "y")
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_JWK_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA", "Ed448": "EdDSA"}


class _Jwk(msgspec.Struct, frozen=True):
    """What decides how a key of a set is used (RFC 7517 section 4)."""

    kty: str
    kid: str | None = None
    use: str = "sig"
    alg: str | None = None
    crv: str = ""


class _Jwks(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


def keys_from_files(settings: Token) -> tuple[VerificationKey, ...]:
    """Read the PEM files of public keys. Raises ConfigurationError with all that cannot be used."""
    keys: list[VerificationKey] = []
    mistakes: list[Mistake] = []
    for name in settings.public_key_files:
        try:
            pem = Path(name).read_bytes()
            keys += [verification_key(algorithm, pem, kid=None) for algorithm in _algorithms_of(pem, settings)]
        except (OSError, ValueError, TypeError, jwt.InvalidKeyError) as error:
            mistakes.append(Mistake("token", "token.public_key_files", name, f"write a PEM public key: {error}"))
    if mistakes:
        raise ConfigurationError(mistakes)
    return tuple(keys)


def _algorithms_of(pem: bytes, settings: Token) -> Iterable[str]:
    key = load_pem_public_key(pem)
    match key:
        case rsa.RSAPublicKey():
            fitting = {name for name in pinned_algorithms(settings) if name.startswith(("RS", "PS"))}
        case ec.EllipticCurvePublicKey():
            fitting = {_CURVES.get(key.curve.name, "")}
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            fitting = {"EdDSA"}
        case _:
            fitting = set()
    chosen = sorted(fitting & set(pinned_algorithms(settings)))
    if not chosen:
        raise ValueError("none of token.algorithms works with this kind of key")
    return chosen


def keys_of_jwks(body: bytes, *, algorithms: Iterable[str]) -> tuple[VerificationKey, ...]:
    """Return the usable keys of a JWK set. Raises ValueError where it is none; keys for other uses are passed over."""
    try:
        listed = msgspec.json.decode(body, type=_Jwks).keys[:MAX_KEYS]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"this is no JWK set: {error}") from error
    pinned = tuple(algorithms)
    return tuple(key for raw in listed for key in _keys_of_jwk(raw, pinned))


def _keys_of_jwk(raw: dict[str, Any], pinned: Sequence[str]) -> list[VerificationKey]:
    try:
        facts = msgspec.convert(raw, type=_Jwk)
        if facts.kty == "oct" or facts.use != "sig":
            # A published symmetric key is no secret: taking it would let anybody sign.
            return []
        if facts.kty == "RSA":
            fitting = [name for name in pinned if name.startswith(("RS", "PS"))]
        else:
            fitting = [name for name in pinned if name == _JWK_CURVES.get(facts.crv)]
        return [_public_key(raw, name, facts.kid) for name in fitting if facts.alg in {None, name}]
    except (msgspec.ValidationError, ValueError, TypeError, jwt.PyJWTError) as error:
        _log.warning("jwks_key_not_usable", kid=str(raw.get("kid")), problem=str(error))
        return []


def _public_key(raw: dict[str, Any], algorithm: str, kid: str | None) -> VerificationKey:
    public = {name: raw[name] for name in _PUBLIC_FIELDS if name in raw}
    checker = jwt.get_algorithm_by_name(algorithm)
    key = checker.from_jwk(public)
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise ValueError(f"the key has {key.key_size} bits, at least {MIN_RSA_BITS} are needed")
    return VerificationKey(algorithm, checker, key, kid)


def fixed_keys(keys: Sequence[VerificationKey]) -> Callable[[str, str | None], Sequence[VerificationKey]]:
    """Return how to find a token's key among keys without names, for TokenVerifier."""
    return lambda algorithm, _: [key for key in keys if key.algorithm == algorithm]


class Jwks:
    """The keys behind a JWKS URL, and those of files beside them. `async with` fetches and keeps them fresh.

    The last good set is kept while the issuer cannot be reached; until there is one it is tried every `first_retry_s`.
    """

    def __init__(
        self,
        settings: Token,
        *,
        beside: Sequence[VerificationKey] = (),
        refresh_s: float = REFRESH_S,
        min_refresh_s: float = MIN_REFRESH_S,
        first_retry_s: float = FIRST_RETRY_S,
    ) -> None:
        self._url = settings.jwks_url
        self._algorithms = pinned_algorithms(settings)
        self._beside = tuple(beside)
        self._refresh_s = refresh_s
        self._min_refresh_s = min_refresh_s
        self._first_retry_s = first_retry_s
        self._keys: tuple[VerificationKey, ...] | None = None
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._problem = "not fetched yet"

    async def __aenter__(self) -> Self:
        await self.refresh()
        self._task = asyncio.create_task(self._keep_fresh(), name="jwks")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def find(self, algorithm: str, kid: str | None) -> Sequence[VerificationKey]:
        """Return the keys a token may be signed with. Waits for nothing.

        Raises TokenUnverifiable before the first fetch has succeeded; TokenInvalid for an unknown key id, which also
        asks for a fresh set.
        """
        keys = [key for key in (*self._beside, *(self._keys or ())) if key.algorithm == algorithm]
        named = [key for key in keys if kid is None or key.kid in {None, kid}]
        if named:
            return named
        self._wanted.set()
        if self._keys is None:
            raise TokenUnverifiable("the issuer's keys are not known yet")
        raise TokenInvalid("the token's key is not known")

    async def check(self) -> str | None:
        """Readiness: None while there are keys, else why there are none."""
        return None if self._keys is not None else self._problem

    async def refresh(self) -> None:
        """Fetch the set now. A failure is logged and leaves the last good set."""
        try:
            self._keys = await self._fetch_keys()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self._problem = f"the JWKS cannot be fetched: {type(error).__name__}: {error}"
            _log.warning(
                "jwks_fetch_failed",
                url=without_password(self._url),
                problem=self._problem,
                keys_kept=len(self._keys or ()),
            )
        else:
            _log.info("jwks_fetched", keys=len(self._keys))

    async def _fetch_keys(self) -> tuple[VerificationKey, ...]:
        keys = keys_of_jwks(await self._fetch(), algorithms=self._algorithms)
        if not keys:
            raise ValueError("there is no usable key in it")
        return keys

    async def _fetch(self) -> bytes:
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(self._url, allow_redirects=False) as answer,
        ):
            if answer.status != HTTPStatus.OK:
                raise ValueError(f"answered with status {answer.status}")
            body = await answer.content.read(MAX_JWKS_BYTES + 1)
            while len(body) <= MAX_JWKS_BYTES and (more := await answer.content.read(MAX_JWKS_BYTES)):
                body += more
        if len(body) > MAX_JWKS_BYTES:
            raise ValueError(f"the JWK set is above {MAX_JWKS_BYTES} bytes")
        return body

    async def _keep_fresh(self) -> None:
        while True:
            # Never sooner than this, however many tokens ask for it; soon where there is nothing yet to go by.
            await asyncio.sleep(self._min_refresh_s if self._keys is not None else self._first_retry_s)
            if self._keys is not None:
                await self._wanted_or_due()
            self._wanted.clear()
            await self.refresh()

    async def _wanted_or_due(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._refresh_s - self._min_refresh_s):
                await self._wanted.wait()
