"""Who may do what: identities, what tokens grant them, and what the options of a namespace let them do."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

import msgspec

from hub.domain.errors import DoorbellError
from hub.domain.ids import Topic, UserId
from hub.domain.topics import Namespace, users_of


class Role(StrEnum):
    """What a token or an API key lets its bearer be."""

    SHOPPER = "shopper"
    COURIER = "courier"
    AGENT = "agent"
    ADMIN = "admin"
    SERVICE = "service"
    ANONYMOUS = "anonymous"
    """Somebody without a token, where that is allowed. No token makes one."""


SIGNED_IN = frozenset(Role) - {Role.ANONYMOUS}
SERVICE_PREFIX = "service:"
"""How the user ids of services begin; no person's may."""


class ServerSubscription(msgspec.Struct, frozen=True):
    """A topic that a token subscribes its bearer to. `data` is told to the client, `info` to the topic's others."""

    topic: Topic
    data: msgspec.Raw | None = None
    info: msgspec.Raw | None = None


class Identity(msgspec.Struct, frozen=True):
    """Who is asking. `expires_s` is a Unix time, None for ever. `scopes` says what a service may call."""

    user: UserId
    role: Role
    expires_s: int | None = None
    scopes: frozenset[str] = frozenset()
    info: msgspec.Raw | None = None
    """What a token says about its bearer for others to see (the `info` claim), as JSON."""
    meta: msgspec.Raw | None = None
    """What a token says about its bearer for operations to see and nobody else (the `meta` claim), as JSON."""
    subscriptions: tuple[ServerSubscription, ...] = ()
    """What a token subscribes its bearer to (the `channels` and `subs` claims)."""

    @property
    def anonymous(self) -> bool:
        """Whether nobody knows who it is."""
        return self.role is Role.ANONYMOUS


ANONYMOUS = Identity(UserId(""), Role.ANONYMOUS)


class SubscriptionGrant(msgspec.Struct, frozen=True):
    """What a subscription token lets its bearer do: subscribe to one topic until `expires_s`, None for ever."""

    user: UserId
    topic: Topic
    expires_s: int | None = None
    info: msgspec.Raw | None = None
    """What the topic's others see of this subscription (the `info` claim), as JSON."""


class Action(StrEnum):
    """What a client can do with a topic."""

    SUBSCRIBE = "subscribe"
    PUBLISH = "publish"
    HISTORY = "history"
    PRESENCE = "presence"


class _Rule(msgspec.Struct, frozen=True):
    """Who may do one thing in a namespace."""

    roles: frozenset[str]
    client: bool
    anonymous: bool
    subscriber: bool = False


def _rule(namespace: Namespace, action: Action) -> _Rule:
    match action:
        case Action.SUBSCRIBE:
            return _Rule(
                namespace.subscribe_roles,
                namespace.allow_subscribe_for_client,
                namespace.allow_subscribe_for_anonymous,
            )
        case Action.PUBLISH:
            return _Rule(
                namespace.publish_roles,
                namespace.allow_publish_for_client,
                namespace.allow_publish_for_anonymous,
                namespace.allow_publish_for_subscriber,
            )
        case Action.HISTORY:
            return _Rule(
                namespace.history_roles,
                namespace.allow_history_for_client,
                namespace.allow_history_for_anonymous,
                namespace.allow_history_for_subscriber,
            )
        case Action.PRESENCE:
            return _Rule(
                namespace.presence_roles,
                namespace.allow_presence_for_client,
                namespace.allow_presence_for_anonymous,
                namespace.allow_presence_for_subscriber,
            )
        case _:
            assert_never(action)


def permits(namespace: Namespace, who: Identity, action: Action, topic: Topic, *, subscribed: bool = False) -> bool:
    """Say whether a namespace's options let somebody do something with one of its topics without a token for it.

    `subscribed`: the connection is subscribed to the topic. A user-limited topic is for the users it names, whatever
    role they have, and for nobody else.
    """
    if action is Action.SUBSCRIBE and (users := users_of(topic)) is not None:
        return namespace.allow_user_limited_channels and not who.anonymous and who.user in users
    rule = _rule(namespace, action)
    if who.role in rule.roles:
        return True
    if who.anonymous and not rule.anonymous:
        return False
    return rule.client or (subscribed and rule.subscriber)


class TokenError(DoorbellError):
    """A token or an API key does not let its bearer in."""


class TokenInvalid(TokenError):
    """It is malformed, forged, or not meant for Doorbell: a new connection with the same one will fail again."""


class TokenExpired(TokenError):
    """It was good once: the app should get a new one."""


class TokenUnverifiable(TokenError):
    """The keys to check it with have not been fetched yet: the same token may be good later."""
