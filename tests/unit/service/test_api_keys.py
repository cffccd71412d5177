from __future__ import annotations

import pytest

from hub.domain.permission import Role, TokenInvalid
from hub.service.identity.api_keys import ApiKeys, make_api_key
from hub.service.identity.authentication import Authenticator
from hub.service.identity.tokens import TokenVerifier
from hub.settings import Token

NEW = make_api_key("billing", scopes=["events.publish"])
KEYS = ApiKeys([NEW.setting])


def test_a_key_tells_which_service_it_belongs_to() -> None:
    who = KEYS.verify(NEW.key)
    assert (str(who.user), who.role, set(who.scopes)) == ("service:billing", Role.SERVICE, {"events.publish"})
    assert who.expires_s is None


def test_the_setting_does_not_hold_the_key() -> None:
    assert NEW.key.split("_")[3] not in repr(NEW.setting)


def test_two_keys_of_one_service_are_both_good_during_rotation() -> None:
    second = make_api_key("billing")
    keys = ApiKeys([NEW.setting, second.setting])
    assert keys.verify(NEW.key).user == keys.verify(second.key).user == "service:billing"


def test_a_key_that_is_not_configured_is_refused() -> None:
    with pytest.raises(TokenInvalid, match="not known"):
        KEYS.verify(make_api_key("billing").key)


def test_a_secret_of_another_key_does_not_fit_the_id() -> None:
    other = make_api_key("billing")
    forged = type(NEW.setting)(name="billing", id=NEW.setting.id, sha256=other.setting.sha256)
    with pytest.raises(TokenInvalid, match="not known"):
        ApiKeys([forged]).verify(NEW.key)


@pytest.mark.parametrize(
    "key",
    ["", "db_live_", NEW.key[:-1], NEW.key[:-8] + "00000000", NEW.key + "0", NEW.key.upper()],
    ids=["empty", "prefix", "short", "checksum", "long", "upper"],
)
def test_a_mistyped_key_is_refused(key: str) -> None:
    with pytest.raises(TokenInvalid, match="no API key"):
        KEYS.verify(key)


def test_the_door_takes_keys_and_tokens() -> None:
    door = Authenticator(TokenVerifier(Token(hmac_secret="s" * 32)), KEYS)
    assert door.authenticate(NEW.key).role is Role.SERVICE
    with pytest.raises(TokenInvalid, match="no token"):
        door.authenticate("db_test_1")
