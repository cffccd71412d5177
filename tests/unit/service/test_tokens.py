from __future__ import annotations

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.domain.permission import Role, ServerSubscription, TokenExpired, TokenInvalid
from hub.service.identity.tokens import (
    TokenVerifier,
    VerificationKey,
    mint_subscription_token,
    mint_token,
    verification_key,
)
from hub.settings import Token

NOW_S = 1_800_000_000
SECRET = "a secret of thirty-two bytes or more"
SETTINGS = Token(hmac_secret=SECRET, audience="doorbell", issuer="shop")
CLAIMS = {"sub": "u-1", "exp": NOW_S + 60, "aud": "doorbell", "iss": "shop"}
VERIFIER = TokenVerifier(SETTINGS)


def signed(headers: dict[str, object] | None = None, secret: str = SECRET, **claims: object) -> str:
    return jwt.encode({**CLAIMS, **claims}, secret, algorithm="HS256", headers=headers)


def subscription(**claims: object) -> str:
    return signed(**{"channel": "room:1", **claims})  # type: ignore[arg-type]


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def with_nested_header(levels: int) -> str:
    header = b'{"alg":"HS256","x":' + levels * b"[" + levels * b"]" + b"}"
    return f"{base64.urlsafe_b64encode(header).rstrip(b'=').decode()}.e30.e30"


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def test_a_good_token_tells_who_its_bearer_is() -> None:
    who = VERIFIER.verify(signed(info={"name": "Ada"}), NOW_S)
    assert (who.user, who.role, who.expires_s) == ("u-1", Role.SHOPPER, NOW_S + 60)
    assert who.info is not None
    assert json.loads(bytes(who.info)) == {"name": "Ada"}


def test_the_role_claim_is_taken() -> None:
    assert VERIFIER.verify(signed(role="agent"), NOW_S).role is Role.AGENT


@pytest.mark.parametrize("role", ["service", "root", ""])
def test_a_role_that_is_not_allowed_is_refused(role: str) -> None:
    with pytest.raises(TokenInvalid, match="role"):
        VERIFIER.verify(signed(role=role), NOW_S)


def test_a_token_makes_a_service_where_the_operator_says_so() -> None:
    verifier = TokenVerifier(Token(hmac_secret=SECRET, roles=("service",)))
    assert verifier.verify(signed(role="service"), NOW_S).role is Role.SERVICE


def test_an_expired_token_is_told_apart_so_that_the_app_gets_a_new_one() -> None:
    with pytest.raises(TokenExpired):
        VERIFIER.verify(signed(exp=NOW_S - 10), NOW_S)


def test_the_leeway_bridges_clocks_that_differ() -> None:
    assert VERIFIER.verify(signed(exp=NOW_S - 9, iat=NOW_S + 9), NOW_S).user == "u-1"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "other"},
        {"aud": ["other", "another"]},
        {"iss": "other"},
        {"nbf": NOW_S + 11},
        {"iat": NOW_S + 11},
        {"sub": ""},
        {"sub": "two words"},
        {"sub": "service:billing"},
        {"sub": "x" * 129},
        {"sub": 7},
        {"exp": "tomorrow"},
    ],
)
def test_claims_that_do_not_fit_are_refused(claims: dict[str, object]) -> None:
    with pytest.raises(TokenInvalid):
        VERIFIER.verify(signed(**claims), NOW_S)  # type: ignore[arg-type]


@pytest.mark.parametrize("claim", ["sub", "exp", "aud", "iss"])
def test_a_missing_claim_is_refused(claim: str) -> None:
    token = jwt.encode({name: value for name, value in CLAIMS.items() if name != claim}, SECRET, algorithm="HS256")
    with pytest.raises(TokenInvalid):
        VERIFIER.verify(token, NOW_S)


def test_one_of_several_audiences_is_enough() -> None:
    assert VERIFIER.verify(signed(aud=["other", "doorbell"]), NOW_S).user == "u-1"


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "a.b", "a.b.c", "é.é.é", "a.b.c.d", "x" * 9_000, "{}.{}.{}", "e30.e30.e30"),
        with_nested_header(3_000),
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenInvalid):
        VERIFIER.verify(text, NOW_S)


def test_a_token_signed_with_another_secret_is_refused() -> None:
    with pytest.raises(TokenInvalid, match="signature"):
        VERIFIER.verify(signed(secret="another secret of thirty-two bytes"), NOW_S)


def test_changed_claims_are_refused() -> None:
    header, _, signature = signed().split(".")
    with pytest.raises(TokenInvalid, match="signature"):
        VERIFIER.verify(f"{header}.{encoded({**CLAIMS, 'sub': 'u-2'})}.{signature}", NOW_S)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "HS384", "RS256", ""])
def test_an_algorithm_that_is_not_pinned_is_refused(alg: str) -> None:
    for signature in ("", signed().rpartition(".")[2]):
        with pytest.raises(TokenInvalid):
            VERIFIER.verify(f"{encoded({'alg': alg, 'typ': 'JWT'})}.{encoded(CLAIMS)}.{signature}", NOW_S)


@pytest.mark.parametrize("headers", [{"typ": "secevent+jwt"}, {"crit": ["b64"], "b64": False}])
def test_headers_that_mean_something_else_are_refused(headers: dict[str, object]) -> None:
    with pytest.raises(TokenInvalid):
        VERIFIER.verify(signed(headers), NOW_S)


def test_a_public_key_is_never_taken_for_a_secret(rsa_key: rsa.RSAPrivateKey) -> None:
    pem = public_pem(rsa_key)
    key = verification_key("RS256", pem, kid=None)
    verifier = TokenVerifier(Token(public_key_files=("key.pem",)), keys=lambda _, __: [key])
    confused = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded(CLAIMS)}"
    signature = jwt.get_algorithm_by_name("HS256").sign(confused.encode(), pem)
    forged = f"{confused}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(TokenInvalid, match="algorithm"):
        verifier.verify(forged, NOW_S)


def test_a_token_signed_with_a_private_key_is_taken(rsa_key: rsa.RSAPrivateKey) -> None:
    pem = public_pem(rsa_key)
    key = verification_key("RS256", pem, kid="k1")
    verifier = TokenVerifier(Token(public_key_files=("key.pem",)), keys=lambda _, __: [key])
    assert verifier.verify(jwt.encode(CLAIMS, rsa_key, algorithm="RS256"), NOW_S).user == "u-1"


def test_a_key_is_used_with_its_own_algorithm_only(rsa_key: rsa.RSAPrivateKey) -> None:
    keys: list[VerificationKey] = [verification_key("RS384", public_pem(rsa_key), kid=None)]
    verifier = TokenVerifier(Token(public_key_files=("key.pem",)), keys=lambda _, __: keys)
    with pytest.raises(TokenInvalid, match="signature"):
        verifier.verify(jwt.encode(CLAIMS, rsa_key, algorithm="RS256"), NOW_S)


def test_headers_that_point_to_keys_are_not_followed() -> None:
    there = "https://evil.example/keys"
    headers: dict[str, object] = {"jku": there, "x5u": there, "jwk": {"kty": "oct", "k": "eHg"}}
    with pytest.raises(TokenInvalid, match="signature"):
        VERIFIER.verify(signed(headers, secret="xx" * 32), NOW_S)


@pytest.mark.parametrize("junk", ["=", "+", "/", " ", "\n", "."])
def test_a_signature_has_one_spelling_only(junk: str) -> None:
    with pytest.raises(TokenInvalid):
        VERIFIER.verify(signed() + junk, NOW_S)


def test_without_any_key_nobody_gets_in() -> None:
    with pytest.raises(TokenInvalid):
        TokenVerifier(Token()).verify(jwt.encode(CLAIMS, "s" * 32, algorithm="HS256"), NOW_S)


def test_a_minted_token_is_a_good_one() -> None:
    token = mint_token(SETTINGS, user="u-9", role=Role.ADMIN, ttl_s=60, now_s=NOW_S, info={"name": "Ada"})
    who = VERIFIER.verify(token, NOW_S)
    assert (who.user, who.role, who.expires_s) == ("u-9", Role.ADMIN, NOW_S + 60)


def test_a_token_cannot_be_minted_without_a_secret() -> None:
    with pytest.raises(ValueError, match="hmac_secret"):
        mint_token(Token(jwks_url="https://id.example/keys"), user="u", role=Role.SHOPPER, ttl_s=60)


# What a connection token subscribes to, and when what it opens ends


def test_a_token_names_topics_to_subscribe_to() -> None:
    subs = {"room:2": {"data": {"hi": 1}, "info": {"seat": 2}}, "room:1": {}}
    first, second = VERIFIER.verify(signed(channels=["room:1"], subs=subs), NOW_S).subscriptions
    assert first == ServerSubscription(first.topic)
    assert second.topic == "room:2"
    assert second.data is not None
    assert second.info is not None
    assert (json.loads(bytes(second.data)), json.loads(bytes(second.info))) == ({"hi": 1}, {"seat": 2})


@pytest.mark.parametrize("claims", [{"channels": ["two words"]}, {"subs": {"": {}}}, {"channels": "room:1"}])
def test_a_token_that_subscribes_to_what_is_no_topic_is_refused(claims: dict[str, object]) -> None:
    with pytest.raises(TokenInvalid):
        VERIFIER.verify(signed(**claims), NOW_S)  # type: ignore[arg-type]


def test_what_operations_may_know_of_a_bearer_is_kept_apart_from_what_others_see() -> None:
    who = VERIFIER.verify(signed(meta={"tier": "gold"}), NOW_S)
    assert who.info is None
    assert who.meta is not None
    assert json.loads(bytes(who.meta)) == {"tier": "gold"}


@pytest.mark.parametrize(("expire_at", "expires_s"), [(None, NOW_S + 60), (NOW_S + 600, NOW_S + 600), (0, None)])
def test_a_connection_may_outlive_its_token(expire_at: int | None, expires_s: int | None) -> None:
    assert VERIFIER.verify(signed(expire_at=expire_at), NOW_S).expires_s == expires_s
    assert VERIFIER.verify_subscription(subscription(expire_at=expire_at), NOW_S).expires_s == expires_s


def test_a_connection_that_would_end_at_once_has_an_expired_token() -> None:
    with pytest.raises(TokenExpired):
        VERIFIER.verify(signed(expire_at=NOW_S - 11), NOW_S)


# Subscription tokens


def test_a_subscription_token_grants_one_topic_to_one_user() -> None:
    grant = VERIFIER.verify_subscription(subscription(info={"seat": 1}), NOW_S)
    assert (grant.user, grant.topic, grant.expires_s) == ("u-1", "room:1", NOW_S + 60)
    assert grant.info is not None
    assert json.loads(bytes(grant.info)) == {"seat": 1}


def test_a_subscription_token_without_sub_is_for_anonymous_clients() -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != "sub"}
    token = jwt.encode({**claims, "channel": "room:1"}, SECRET, algorithm="HS256")
    assert VERIFIER.verify_subscription(token, NOW_S).user == ""


def test_an_expired_subscription_token_is_told_apart() -> None:
    with pytest.raises(TokenExpired):
        VERIFIER.verify_subscription(subscription(exp=NOW_S - 10), NOW_S)


@pytest.mark.parametrize(
    "claims",
    [{"aud": "other"}, {"iss": "other"}, {"nbf": NOW_S + 11}, {"channel": ""}, {"channel": "{x}"}, {"channel": 7}],
)
def test_claims_of_a_subscription_token_that_do_not_fit_are_refused(claims: dict[str, object]) -> None:
    with pytest.raises(TokenInvalid):
        VERIFIER.verify_subscription(subscription(**claims), NOW_S)


def test_the_two_kinds_of_token_are_never_taken_for_each_other() -> None:
    with pytest.raises(TokenInvalid, match="subscribing"):
        VERIFIER.verify(subscription(), NOW_S)
    with pytest.raises(TokenInvalid, match="channel"):
        VERIFIER.verify_subscription(signed(), NOW_S)


def test_a_minted_subscription_token_is_a_good_one() -> None:
    token = mint_subscription_token(SETTINGS, user="u-9", topic="room:1", ttl_s=60, now_s=NOW_S)
    grant = VERIFIER.verify_subscription(token, NOW_S)
    assert (grant.user, grant.topic, grant.expires_s) == ("u-9", "room:1", NOW_S + 60)


@pytest.mark.parametrize(("user", "topic"), [("two words", "room:1"), ("u-9", "two words"), ("u-9", "")])
def test_no_subscription_token_is_minted_that_would_be_refused(user: str, topic: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        mint_subscription_token(SETTINGS, user=user, topic=topic, ttl_s=60)
