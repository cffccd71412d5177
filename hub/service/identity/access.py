"""Who may do what with which topic. Ownership is learned from events and read from the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from hub.domain.decisions import Aggregate, AggregateKind, Document
from hub.domain.ids import Topic, UserId
from hub.domain.permission import Action, Identity, Role, permits
from hub.domain.topics import (
    ANNOUNCEMENTS,
    INBOX,
    ORDER,
    PRICE,
    SALE,
    SHIPMENT,
    STOCK,
    Namespaces,
    inbox,
    is_valid,
)

_STAFF = frozenset({Role.AGENT, Role.ADMIN, Role.SERVICE})
"""May see every order and shipment."""
_OPEN = frozenset({PRICE, STOCK, SALE})
"""For everybody who is connected: what the shop's windows show."""
_OWNED_KINDS = {ORDER: AggregateKind.ORDER, SHIPMENT: AggregateKind.SHIPMENT}


class Documents(Protocol):
    """Reads aggregates (hub.store.documents)."""

    async def read_many(self, aggregates: Sequence[Aggregate], /) -> Sequence[Document]:
        """Return a document for each, version 0 where there is none. Raises StoreUnavailable."""
        ...


class _Owned(msgspec.Struct, frozen=True):
    """The part of an order's or shipment's document that says whose it is."""

    user: UserId


_owned = msgspec.json.Decoder(_Owned)


class Access:
    """Says who may subscribe to what, and what else they may do there."""

    def __init__(self, documents: Documents, namespaces: Namespaces) -> None:
        self._documents = documents
        self._namespaces = namespaces

    async def may(self, who: Identity, action: Action, topic: Topic, *, subscribed: bool = False) -> bool:
        """Say whether somebody may do something with a topic without a subscription token for it.

        `subscribed`: the connection is subscribed to it. Chats, unknown namespaces and things that do not exist are
        nobody's. Reads the store for orders and shipments of shoppers only. Raises StoreUnavailable.
        """
        namespace = self._namespaces.of(topic)
        if namespace is None or not is_valid(topic):
            return False
        if not self._namespaces.built_in(topic):
            return permits(namespace, who, action, topic, subscribed=subscribed)
        match action:
            case Action.SUBSCRIBE:
                return await self._may_subscribe_to_ours(who, topic)
            case Action.HISTORY:
                return subscribed or await self._may_subscribe_to_ours(who, topic)
            case _:
                return False

    async def _may_subscribe_to_ours(self, who: Identity, topic: Topic) -> bool:
        space, _, name = topic.partition(":")
        if topic == ANNOUNCEMENTS or (space in _OPEN and name):
            return True
        if space == INBOX:
            return not who.anonymous and topic == inbox(who.user)
        if space in _OWNED_KINDS:
            return await self.may_see(who, Aggregate(_OWNED_KINDS[space], name))
        return False

    async def may_see(self, who: Identity, thing: Aggregate) -> bool:
        """Say whether an order or shipment is the shopper's own; staff see all. Raises StoreUnavailable."""
        if not thing.id:
            return False
        if who.role in _STAFF:
            return True
        if who.role is not Role.SHOPPER:
            return False
        (document,) = await self._documents.read_many([thing])
        return document.version > 0 and _owned.decode(document.body).user == who.user
