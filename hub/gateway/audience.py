"""The topics that a connection is subscribed to by the server, without asking."""

from __future__ import annotations

from hub.domain.ids import Topic
from hub.domain.permission import Identity, Role
from hub.domain.topics import ANNOUNCEMENTS, inbox, is_valid


def topics_of(identity: Identity) -> tuple[Topic, ...] | None:
    """Return somebody's server-side topics: people have an inbox, services have none; everybody hears announcements.

    None where the user's name cannot be part of a topic: then it is not one of ours.
    """
    if identity.role is Role.SERVICE:
        return (ANNOUNCEMENTS,)
    own = inbox(identity.user)
    return (own, ANNOUNCEMENTS) if identity.user and is_valid(own) else None
