import json
from base64 import urlsafe_b64decode

from hub.service.identity.tokens import TokenVerifier
from hub.settings import Token
from loadtest.swarm import stamp
from loadtest.swarm.token import Mint


def test_a_stamp_is_found_in_whatever_it_travels_in() -> None:
    mark = stamp.Stamp("orders-placed", 17, 123)
    assert stamp.find(f'{{"url":"https://shop/orders/{mark}?a=1"}}'.encode()) == mark


def test_what_carries_no_stamp_has_none() -> None:
    assert stamp.find(b'{"text":"~a~ 1.2.3"}') is None


def test_a_payload_has_the_size_that_was_asked_for() -> None:
    data = stamp.payload("sale", 1, size_bytes=250)
    assert len(data) == 250
    mark = stamp.find(data)
    assert mark is not None
    assert (mark.series, json.loads(data)["text"]) == ("sale", str(mark))


def test_tokens_are_what_the_hub_accepts() -> None:
    settings = Token(hmac_secret="s" * 32)
    identity = TokenVerifier(settings).verify(Mint(settings.hmac_secret, now_s=1_000)("user-9"), 1_001)
    assert (identity.user, identity.expires_s) == ("user-9", 1_000 + 86_400)


def test_channels_are_claimed_for_the_bearer() -> None:
    token = Mint("s", channels=("inbox:{user}", "announcements"))("ann")
    payload = token.split(".")[1]

    assert json.loads(urlsafe_b64decode(payload + "=="))["channels"] == ["inbox:ann", "announcements"]
