"""What the gateway needs from the rest of Doorbell. The composition root passes objects that fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hub.domain.ids import Epoch, Topic
from hub.domain.permission import Action, Identity, SubscriptionGrant
from hub.domain.topics import Position
from hub.store.workers import WorkerFacts


class Access(Protocol):
    """Who is who, and who may do what."""

    def authenticate(self, token: str) -> Identity:
        """Return whose token it is. Touches no store. Raises TokenExpired or TokenInvalid (`hub.domain.permission`)."""
        ...

    def subscription(self, token: str) -> SubscriptionGrant:
        """Return what a subscription token grants. Touches no store. Raises as `authenticate`."""
        ...

    async def may(self, who: Identity, action: Action, topic: Topic, *, subscribed: bool = False) -> bool:
        """Say whether somebody may do something with a topic that they are subscribed to or not.

        Only subscribing to and reading orders and shipments asks the store. Raises StoreUnavailable.
        """
        ...


class Operations(Protocol):
    """The operations of the hub, the same as over HTTP."""

    async def rpc(self, who: Identity, method: str, data: bytes) -> bytes:
        """Return the JSON response to a JSON request. Raises CommandError; anything else is answered as internal."""
        ...


class Stored(Protocol):
    """One publication of a topic's stream."""

    @property
    def offset(self) -> int:
        """Its place, from 1."""
        ...

    @property
    def data(self) -> bytes:
        """One JSON value."""
        ...


class Page(Protocol):
    """Some publications of a topic in offset order."""

    @property
    def position(self) -> Position:
        """The top of the stream when the page was read."""
        ...

    @property
    def publications(self) -> Sequence[Stored]:
        """The publications that were asked for."""
        ...

    @property
    def complete(self) -> bool:
        """False where publications just after the asked-for offset are no longer kept."""
        ...


class Topics(Protocol):
    """The streams. Every method raises StoreUnavailable."""

    async def positions(self, topics: Sequence[Topic]) -> Sequence[Position]:
        """Return the top of each topic, in one round trip; a topic without an epoch gets one."""
        ...

    async def read_since(self, topic: Topic, offset: int, *, limit: int) -> Page:
        """Return the publications after `offset`, at most `limit` of them."""
        ...

    async def history(self, topic: Topic, *, since: Position | None, limit: int, reverse: bool) -> Page:
        """Return a page of a topic's stream, from its start, its end or `since`."""
        ...

    async def rotate_epoch(self, topic: Topic, old: Epoch) -> object:
        """Give the topic a new epoch if it still has the `old` one."""
        ...


class DirectiveLog(Protocol):
    """What services want done with people's connections. Every method raises StoreUnavailable."""

    @property
    def channel(self) -> str:
        """The pub/sub channel on which directives are heard."""
        ...

    async def end(self) -> Position:
        """Return where the log ends."""
        ...

    async def since(self, offset: int, *, limit: int) -> Page:
        """Return what was written after `offset`."""
        ...


class Register(Protocol):
    """Which workers run. Every method raises StoreUnavailable."""

    async def beat(self, facts: WorkerFacts) -> None:
        """Say that a worker is alive."""
        ...

    async def leave(self, uid: str) -> None:
        """Say that a worker ends."""
        ...
