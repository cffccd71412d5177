import pytest

from channels.email.relay import BadRelay, Relay, Security, relay, relays
from hub.domain.errors import ConfigurationError
from hub.settings import Smtp, SmtpRelay


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
    ("url", "advice"),
    [
        ("", "write a URL that starts with smtp://"),
        ("mail.example", "write a URL that starts with smtp://"),
        ("http://mail.example", "write a URL that starts with smtp://"),
        ("smtp://", "write smtp://host:port"),
        ("smtp:///x", "write smtp://host:port"),
        ("smtps://h:0x", "write smtps://host:port"),
        ("smtp://h:99999", "write smtp://host:port"),
        ("smtp://h:0", "write smtp://host:port"),
        ("smtp://[::1", "write smtp://host:port"),
        ("smtps://me:sec/ret@h", "write smtps://host:port"),
        ("smtp://h/path", "nothing behind them"),
        ("smtp://h?x=1", "nothing behind them"),
        ("smtps://me:1/secret@h", "nothing behind them"),
        ("smtps://:secret@h", "write the user before the password"),
        ("smtp://me:secret@mail.example", "a password needs smtps://"),
    ],
)
def test_another_url_is_a_mistake_that_shows_no_secret(url: str, advice: str) -> None:
    with pytest.raises(BadRelay, match=advice) as caught:
        relay(url)
    assert "sec" not in str(caught.value)


def test_every_relay_with_a_mistake_is_named_by_its_key() -> None:
    good, bad = SmtpRelay(url="smtp://h", name="good"), SmtpRelay(url="smtp://me:secret@h", name="bad")
    with pytest.raises(ConfigurationError) as caught:
        relays(Smtp(url="smtp://h/x", relays=(good, bad)))
    assert [mistake.key for mistake in caught.value.mistakes] == ["smtp.url", "smtp.relays[1].url"]
    assert "secret" not in str(caught.value)


def test_relays_come_in_order_of_preference() -> None:
    found = relays(Smtp(url="smtp://first", relays=(SmtpRelay(url="smtps://second"),)))
    assert [(each.host, each.port) for each in found] == [("first", 25), ("second", 465)]


def test_a_relay_does_not_show_its_password() -> None:
    assert "secret" not in repr(relay("smtps://me:secret@mail.example"))
