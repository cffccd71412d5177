"""What stands in tokens: the claims of connection tokens and of subscription tokens, and what is made of them.

The claims are those of Centrifugo (centrifugal.dev, "Client JWT authentication", "Channel JWT authorization"), with
`role` added. `exp` is required in both: a token that is good for ever cannot be taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from hub.domain.ids import Topic, UserId
from hub.domain.permission import (
    SERVICE_PREFIX,
    Identity,
    Role,
    ServerSubscription,
    SubscriptionGrant,
    TokenExpired,
    TokenInvalid,
)
from hub.domain.topics import is_valid
from hub.settings import Token

MAX_USER_LENGTH = 128
_ABSENT = msgspec.Raw()


class Claims(msgspec.Struct, frozen=True):
    """What every token has."""

    exp: float
    nbf: float | None = None
    iat: float | None = None
    aud: str | tuple[str, ...] = ()
    iss: str = ""
    expire_at: float | None = None
    """When what the token opens ends, where that is not `exp`; 0 for never."""
    info: msgspec.Raw = _ABSENT

    @property
    def ends_s(self) -> int | None:
        """The Unix time at which the connection or subscription ends; None for never."""
        if self.expire_at is None:
            return int(self.exp)
        return int(self.expire_at) or None


class _Subscription(msgspec.Struct, frozen=True):
    """The options of one topic in `subs`."""

    info: msgspec.Raw = _ABSENT
    data: msgspec.Raw = _ABSENT


class ConnectionClaims(Claims, frozen=True, kw_only=True):
    """The claims of a token for connecting."""

    sub: str
    role: str = Role.SHOPPER.value
    meta: msgspec.Raw = _ABSENT
    channels: tuple[str, ...] = ()
    subs: Mapping[str, _Subscription] = {}
    channel: msgspec.Raw = _ABSENT
    """Only subscription tokens have it."""


class SubscriptionClaims(Claims, frozen=True, kw_only=True):
    """The claims of a token for subscribing to one topic. No `sub` is an anonymous client's."""

    channel: str
    sub: str = ""


def is_user_id(text: str) -> bool:
    """Say whether a text may name a person: 1-128 characters that a topic's name may have.

    Names that begin with `service:` belong to API keys.
    """
    return len(text) <= MAX_USER_LENGTH and is_valid(text) and not text.startswith(SERVICE_PREFIX)


def check(claims: Claims, settings: Token, now_s: float) -> None:
    """Raise TokenExpired or TokenInvalid unless the token is for us, and for now."""
    leeway_s = settings.leeway_s
    if claims.exp + leeway_s <= now_s or (claims.expire_at and claims.expire_at + leeway_s <= now_s):
        raise TokenExpired("the token has expired")
    if max(claims.nbf or 0.0, claims.iat or 0.0) > now_s + leeway_s:
        raise TokenInvalid("the token is not valid yet")
    audiences = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
    if settings.audience and settings.audience not in audiences:
        raise TokenInvalid("the token is meant for somebody else (aud)")
    if settings.issuer and settings.issuer != claims.iss:
        raise TokenInvalid("the token is from somebody else (iss)")


def identity_of(claims: ConnectionClaims, roles: frozenset[str]) -> Identity:
    """Return the bearer of a connection token, one of whose accepted `roles` it must have. Raises TokenInvalid."""
    if claims.channel:
        raise TokenInvalid("this is a token for subscribing, not for connecting")
    if claims.role not in roles:
        raise TokenInvalid("the token's role is not accepted")
    if not is_user_id(claims.sub):
        raise TokenInvalid("the token's sub is not a user id")
    return Identity(
        UserId(claims.sub),
        Role(claims.role),
        expires_s=claims.ends_s,
        info=_kept(claims.info),
        meta=_kept(claims.meta),
        subscriptions=tuple(_subscriptions(claims)) if claims.channels or claims.subs else (),
    )


def _subscriptions(claims: ConnectionClaims) -> Iterator[ServerSubscription]:
    for name in dict.fromkeys((*claims.channels, *claims.subs)):
        if not is_valid(name):
            raise TokenInvalid("the token subscribes to something that is no topic (channels, subs)")
        options = claims.subs.get(name, _Subscription())
        yield ServerSubscription(Topic(name), data=_kept(options.data), info=_kept(options.info))


def grant_of(claims: SubscriptionClaims) -> SubscriptionGrant:
    """Return what a subscription token grants. Raises TokenInvalid."""
    if not is_valid(claims.channel):
        raise TokenInvalid("the token's channel is no topic")
    return SubscriptionGrant(UserId(claims.sub), Topic(claims.channel), claims.ends_s, _kept(claims.info))


def _kept(claim: msgspec.Raw) -> msgspec.Raw | None:
    """Return a claim of its own: a decoded `Raw` is a view that keeps the whole token."""
    return claim.copy() if claim else None
