"""The topics that a connection is subscribed to by the server, without asking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec.structs import replace

from hub.domain.ids import Topic
from hub.domain.permission import Identity, Role
from hub.domain.topics import ANNOUNCEMENTS, Namespace, inbox, is_valid, personal
from hub.gateway.arrivals import Terms, forced_terms
from hub.protocol import codes


class Directory(Protocol):
    """Knows the options of topics."""

    def options(self, name: Topic) -> Namespace | None:
        """Return the options of a topic, None where its namespace is not defined."""
        ...


def topics_of(identity: Identity, *, personal_namespace: str = "") -> tuple[Topic, ...] | None:
    """Return somebody's own topics: people have an inbox, services have none; everybody hears announcements.

    With a `personal_namespace`, whoever is signed in has the topic there that is limited to them.
    None where the user's name cannot be part of a topic: then it is not one of ours.
    """
    if identity.anonymous:
        return (ANNOUNCEMENTS,)
    topics: tuple[Topic, ...] = (ANNOUNCEMENTS,)
    if identity.role is not Role.SERVICE:
        own = inbox(identity.user)
        if not identity.user or not is_valid(own):
            return None
        topics = (own, ANNOUNCEMENTS)
    if personal_namespace and (mine := personal(personal_namespace, identity.user)) is not None:
        topics = (*topics, mine)
    return topics


def terms_by_token(identity: Identity, directory: Directory) -> Mapping[Topic, Terms]:
    """Return the topics that somebody's token subscribes them to. Raises CommandError if there is no such namespace."""
    terms: dict[Topic, Terms] = {}
    for granted in identity.subscriptions:
        options = directory.options(granted.topic)
        if options is None:
            raise codes.unknown_channel()
        terms[granted.topic] = replace(forced_terms(options), info=granted.info, data=granted.data)
    return terms
