"""The mail relay's address: `smtp://`, `smtps://` and `smtp+starttls://` URLs."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from urllib.parse import unquote, urlsplit

import msgspec

from hub.domain.errors import ConfigurationError, Mistake
from hub.observe import without_password
from hub.settings import Smtp


class Security(StrEnum):
    """How a connection is protected. Never less than what is configured: there is no fallback to plain text."""

    PLAIN = "smtp"
    STARTTLS = "smtp+starttls"
    TLS = "smtps"


_PORTS = {Security.PLAIN: 25, Security.STARTTLS: 587, Security.TLS: 465}
_QUOTING = "and / ? # @ in a password as %2F %3F %23 %40"


class Relay(msgspec.Struct, frozen=True):
    """Where mails are handed over, and as whom."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Relay({self.security}://{self.host}:{self.port})"


class BadRelay(ValueError):
    """A relay's URL cannot be used: what to write instead. It repeats nothing of it, for a part may be a password's."""


def relays(settings: Smtp) -> tuple[Relay, ...]:
    """Return the addresses of all relays, in order of preference.

    Raises:
        ConfigurationError: with every URL that cannot be used, each by its key.
    """
    found: list[Relay] = []
    mistakes: list[Mistake] = []
    own = [f"smtp.relays[{index}].url" for index in range(len(settings.relays))]
    keys = ["smtp.url", *own] if settings.url else own
    for key, each in zip(keys, settings.all_relays, strict=True):
        try:
            found.append(relay(each.url))
        except BadRelay as error:
            mistakes.append(Mistake("settings", key, without_password(each.url), str(error)))
    if mistakes:
        raise ConfigurationError(mistakes)
    return tuple(found)


def relay(url: str) -> Relay:
    """Read a relay's URL.

    Raises:
        BadRelay: another scheme, no host, a bad port, more than those, or a password that would travel in plain text to
            another machine.
    """
    scheme = url.partition(":")[0].lower()
    if scheme not in _PORTS:
        raise BadRelay("write a URL that starts with smtp:// or smtps:// or smtp+starttls://")
    where = f"write {scheme}://host:port with a port from 1 to 65535, {_QUOTING}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadRelay(where) from None
    if not host or port == 0:
        raise BadRelay(where)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise BadRelay(f"write a host and a port and nothing behind them, {_QUOTING}")
    if parts.password and not parts.username:
        raise BadRelay(f"write the user before the password: {scheme}://user:password@host")
    security = Security(scheme)
    if parts.username and security is Security.PLAIN and not _is_loopback(host):
        raise BadRelay("a password needs smtps:// or smtp+starttls://")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password or "") if user else None
    return Relay(host, port or _PORTS[security], security, user, password)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
