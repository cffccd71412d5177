import pytest

from channels.email.relay import Relay, Security, relay
from hub.domain.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://localhost", Relay("localhost", 25, Security.PLAIN)),
        ("smtp://127.0.0.1:2525", Relay("127.0.0.1", 2525, Security.PLAIN)),
        ("smtps://mail.example", Relay("mail.example", 465, Security.TLS)),
        ("smtp+starttls://mail.example/", Relay("mail.example", 587, Security.STARTTLS)),
        ("smtps://me:p%40ss@mail.example", Relay("mail.example", 465, Security.TLS, "me", "p@ss")),
        ("smtp://me:secret@[::1]:25", Relay("::1", 25, Security.PLAIN, "me", "secret")),
    ],
)
def test_a_url_says_where_and_how(url: str, expected: Relay) -> None:
    assert relay(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://h:0x",
        "smtp://h:99999",
        "smtp://h/path",
        "smtp://h?x=1",
    ],
)
def test_another_url_is_a_mistake(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"smtp\.url"):
        relay(url)


def test_a_password_does_not_travel_in_plain_text() -> None:
    with pytest.raises(ConfigurationError, match="a password needs") as caught:
        relay("smtp://me:secret@mail.example")
    assert "secret" not in str(caught.value)


def test_a_relay_does_not_show_its_password() -> None:
    assert "secret" not in repr(relay("smtps://me:secret@mail.example"))
