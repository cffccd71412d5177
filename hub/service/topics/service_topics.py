"""What services may do with which topics: the one table.

Inboxes, orders and the rest of Doorbell's own namespaces are written by Doorbell alone, from events: what apps find
there has one shape. A backend's own namespaces are for its services to use.
"""

from __future__ import annotations

from hub.domain.errors import InputError
from hub.domain.ids import Topic
from hub.domain.topics import (
    ANNOUNCEMENTS,
    CHAT,
    INBOX,
    MAX_TOPIC_LENGTH,
    PRICE,
    SALE,
    STOCK,
    Namespaces,
    is_valid,
    namespace_of,
)
from hub.service.failures import Failure, FieldProblem, OperationFailed

_FOR_EVERYBODY = frozenset({ANNOUNCEMENTS, PRICE, STOCK, SALE})
_PRIVATE = frozenset({INBOX, CHAT})


class ServiceTopics:
    """Says which topics a service may publish on, read, and subscribe people to.

    Every method returns the topic, or raises InputError where there is none of that name and OperationFailed
    (FORBIDDEN) where it is not for services. Either names `field`.
    """

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces

    def known(self, name: str, *, field: str) -> Topic:
        """Return a topic of a namespace that is defined."""
        topic = Topic(name)
        if not is_valid(topic):
            problem = f"is no name of a topic: 1-{MAX_TOPIC_LENGTH} characters without white space and braces"
            raise InputError(field, problem)
        if self._namespaces.of(topic) is None:
            raise InputError(field, f"no namespace {namespace_of(topic)!r} is defined")
        return topic

    def publishable(self, name: str, *, field: str) -> Topic:
        """Return a topic that services publish on: of a namespace of their own, or `announcements`."""
        topic = self.known(name, field=field)
        if self._namespaces.built_in(topic) and topic != ANNOUNCEMENTS:
            space = namespace_of(topic)
            raise _forbidden(field, f"{space} is written by Doorbell itself; send an event or a notification")
        return topic

    def readable(self, name: str, *, field: str) -> Topic:
        """Return a topic of which services may see the history: all but what is between people."""
        topic = self.known(name, field=field)
        if namespace_of(topic) in _PRIVATE:
            raise _forbidden(field, f"what is on {namespace_of(topic)} is for the people of it alone")
        return topic

    def attended(self, name: str, *, field: str) -> Topic:
        """Return a topic of which it is kept who is subscribed, and services may see it."""
        topic = self.readable(name, field=field)
        namespace = self._namespaces.of(topic)
        if namespace is None or not namespace.attended:
            raise InputError(field, f"who is subscribed is not kept; set presence for {namespace_of(topic)}")
        return topic

    def grantable(self, name: str, *, field: str) -> Topic:
        """Return a topic that services may subscribe people to: not those that go by ownership."""
        topic = self.known(name, field=field)
        space = namespace_of(topic)
        if self._namespaces.built_in(topic) and space not in _FOR_EVERYBODY:
            raise _forbidden(field, f"who may see {space} goes by whose it is")
        return topic


def _forbidden(field: str, problem: str) -> OperationFailed:
    return OperationFailed(Failure.FORBIDDEN, f"{field}: {problem}", errors=[FieldProblem(field, problem)])
