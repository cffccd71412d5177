"""Directives: what every worker is told to do with a person's connections, whichever of them they are on.

They go through a log in Redis with offsets, so that a worker that was cut off for a while still carries out what it
missed. Carrying one out twice does no harm.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from hub.domain.ids import Topic, UserId
from hub.domain.topics import Position

LOG = Topic("directives")
"""The topic they are published on. No client and no service can name it: its namespace is nobody's."""


class Whose(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose connections. `client` narrows it to a single one; empty means all of them."""

    user: UserId
    client: str = ""


class _Directive(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do"):
    """What is to be done with whose connections."""

    whose: Whose


class DisconnectUser(_Directive, frozen=True, tag="disconnect"):
    """Close connections with this code and reason, but for the clients in `spared`."""

    code: int
    reason: str
    spared: tuple[str, ...] = ()


class SubscribeUser(_Directive, frozen=True, tag="subscribe"):
    """Subscribe connections to a topic from the server's side, at the present or right after `since`."""

    topic: Topic
    since: Position | None = None


class UnsubscribeUser(_Directive, frozen=True, tag="unsubscribe"):
    """End subscriptions to a topic, by whichever side they were made."""

    topic: Topic


class RefreshUser(_Directive, frozen=True, tag="refresh"):
    """Move the end of connections to `expires_s`, a Unix time; None lets them last for ever."""

    expires_s: int | None = None


Directive: TypeAlias = DisconnectUser | SubscribeUser | UnsubscribeUser | RefreshUser
