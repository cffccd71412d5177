"""The mail relay's address: `smtp://`, `smtps://` and `smtp+starttls://` URLs."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from hub.domain.errors import ConfigurationError, Mistake


class Security(StrEnum):
    """How a connection is protected. Never less than what is configured: there is no fallback to plain text."""

    PLAIN = "smtp"
    STARTTLS = "smtp+starttls"
    TLS = "smtps"


_PORTS = {Security.PLAIN: 25, Security.STARTTLS: 587, Security.TLS: 465}


class Relay(msgspec.Struct, frozen=True):
    """Where mails are handed over, and as whom."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Relay({self.security}://{self.host}:{self.port})"


def relay(url: str, *, key: str = "smtp.url") -> Relay:
    """Read a relay's URL. `key` is the setting that it comes from.

    Raises:
        ConfigurationError: another scheme, no host, a bad port, or a password that would travel in plain text to
            another machine.
    """
    parts = urlsplit(url)
    try:
        security = Security(parts.scheme)
        port = parts.port or _PORTS[security]
    except ValueError:
        raise _mistake(parts, key, "write smtp://host:port, smtps://host:port or smtp+starttls://host:port") from None
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise _mistake(parts, key, "write a host and a port, and nothing behind them")
    if parts.username and security is Security.PLAIN and not _is_loopback(parts.hostname):
        raise _mistake(parts, key, "a password needs smtps:// or smtp+starttls://")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password or "") if user else None
    return Relay(parts.hostname, port, security, user, password)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _mistake(parts: SplitResult, key: str, advice: str) -> ConfigurationError:
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return ConfigurationError([Mistake("doorbell.toml", key, shown, advice)])
