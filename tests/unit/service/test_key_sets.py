from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from hub.domain.errors import ConfigurationError
from hub.domain.permission import TokenInvalid, TokenUnverifiable
from hub.service.identity.key_sets import Jwks, fixed_keys, keys_from_files, keys_of_jwks
from hub.service.identity.tokens import TokenVerifier
from hub.settings import Token

ALL = ("RS256", "ES256", "EdDSA")
NOW_S = 1_800_000_000
CLAIMS = {"sub": "u-1", "exp": NOW_S + 60}
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
PRIVATE: dict[str, Any] = {"RS256": RSA_KEY, "ES256": EC_KEY, "EdDSA": ED_KEY}


def jwk_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def rsa_jwk(**facts: Any) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "r1", **facts}


@pytest.fixture
def pem_file(tmp_path: Path) -> Path:
    file = tmp_path / "key.pem"
    file.write_bytes(RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return file


@pytest.mark.parametrize("algorithm", ALL)
def test_a_set_holds_keys_of_every_kind(algorithm: str) -> None:
    ec_jwk = {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "e1"}
    ed_jwk = {**OKPAlgorithm.to_jwk(ED_KEY.public_key(), as_dict=True), "kid": "d1"}
    keys = keys_of_jwks(jwk_set(rsa_jwk(), ec_jwk, ed_jwk), algorithms=ALL)
    verifier = TokenVerifier(Token(jwks_url="https://id.example"), keys=fixed_keys(keys))
    token = jwt.encode(CLAIMS, PRIVATE[algorithm], algorithm=algorithm)
    assert verifier.verify(token, NOW_S).user == "u-1"


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "o1"},
        rsa_jwk(use="enc"),
        rsa_jwk(alg="RS512"),
        rsa_jwk(n="AQAB"),
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kid": "no kind"},
    ],
    ids=["symmetric", "for encryption", "other algorithm", "too short", "not on the curve", "no kind"],
)
def test_a_key_that_cannot_be_used_does_not_spoil_the_set(key: dict[str, Any]) -> None:
    assert [found.kid for found in keys_of_jwks(jwk_set(key, rsa_jwk(kid="good")), algorithms=ALL)] == ["good"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"keys":{}}', b"\xff"])
def test_what_is_no_set_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="no JWK set"):
        keys_of_jwks(body, algorithms=ALL)


def test_public_keys_come_from_files(pem_file: Path) -> None:
    settings = Token(public_key_files=(str(pem_file),))
    verifier = TokenVerifier(settings, keys=fixed_keys(keys_from_files(settings)))
    assert verifier.verify(jwt.encode(CLAIMS, RSA_KEY, algorithm="RS256"), NOW_S).user == "u-1"


def test_every_file_that_cannot_be_used_is_told(pem_file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("not a key")
    files = (str(broken), str(tmp_path / "absent.pem"), str(pem_file))
    with pytest.raises(ConfigurationError) as caught:
        keys_from_files(Token(public_key_files=files))
    assert [mistake.value for mistake in caught.value.mistakes] == list(files[:2])


def test_a_key_that_fits_no_pinned_algorithm_is_a_mistake(pem_file: Path) -> None:
    with pytest.raises(ConfigurationError, match="works with this kind of key"):
        keys_from_files(Token(public_key_files=(str(pem_file),), algorithms=("ES256",)))


def test_before_the_first_set_a_token_may_be_good_later() -> None:
    with pytest.raises(TokenUnverifiable):
        Jwks(Token(jwks_url="https://id.example")).find("RS256", "r1")


def test_keys_of_files_are_good_without_a_set(pem_file: Path) -> None:
    settings = Token(jwks_url="https://id.example", public_key_files=(str(pem_file),))
    assert len(Jwks(settings, beside=keys_from_files(settings)).find("RS256", "any")) == 1


def test_no_keys_means_no_token_is_good() -> None:
    with pytest.raises(TokenInvalid):
        TokenVerifier(Token(jwks_url="https://id.example")).verify(
            jwt.encode(CLAIMS, RSA_KEY, algorithm="RS256"), NOW_S
        )
