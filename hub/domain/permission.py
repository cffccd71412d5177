"""Who may do what: the one table, and the identity it is asked about."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hub.domain.errors import DoorbellError
from hub.domain.ids import UserId


class Role(StrEnum):
    """What a token or an API key lets its bearer be."""

    SHOPPER = "shopper"
    COURIER = "courier"
    AGENT = "agent"
    ADMIN = "admin"
    SERVICE = "service"


SERVICE_PREFIX = "service:"
"""How the user ids of services begin; no person's may."""


class Identity(msgspec.Struct, frozen=True):
    """Who is asking. `expires_s` is a Unix time, None for ever. `scopes` narrows a service; empty allows all."""

    user: UserId
    role: Role
    expires_s: int | None = None
    scopes: frozenset[str] = frozenset()
    info: msgspec.Raw | None = None
    """What a token says about its bearer for others to see (the `info` claim), as JSON."""


class TokenError(DoorbellError):
    """A token or an API key does not let its bearer in."""


class TokenInvalid(TokenError):
    """It is malformed, forged, or not meant for Doorbell: a new connection with the same one will fail again."""


class TokenExpired(TokenError):
    """It was good once: the app should get a new one."""


class TokenUnverifiable(TokenError):
    """The keys to check it with have not been fetched yet: the same token may be good later."""
