"""Who may read which topic: the one table. Ownership is learned from events and read from the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from hub.domain.decisions import Aggregate, AggregateKind, Document
from hub.domain.ids import Topic, UserId
from hub.domain.permission import Identity, Role
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
"""For everybody who is signed in."""
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
    """Says who may subscribe to what."""

    def __init__(self, documents: Documents, namespaces: Namespaces) -> None:
        self._documents = documents
        self._namespaces = namespaces

    async def may_subscribe(self, who: Identity, topic: Topic) -> bool:
        """Say whether `who` may read a topic. Chats, unknown namespaces and things that do not exist are nobody's.

        Reads the store for orders and shipments of shoppers only. Raises StoreUnavailable.
        """
        space, _, name = topic.partition(":")
        if not is_valid(topic):
            return False
        if topic == ANNOUNCEMENTS or (space in _OPEN and name):
            return True
        if space == INBOX:
            return topic == inbox(who.user)
        if space in _OWNED_KINDS:
            return await self.may_see(who, Aggregate(_OWNED_KINDS[space], name))
        return self._roles_allow(who, topic)

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

    def _roles_allow(self, who: Identity, topic: Topic) -> bool:
        namespace = self._namespaces.of(topic)
        return namespace is not None and who.role.value in namespace.subscribe_roles
