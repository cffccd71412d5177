"""What the gateway needs from the rest of Doorbell. The composition root passes objects that fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from hub.domain.decisions import Publication
from hub.domain.ids import Epoch, Topic
from hub.domain.permission import Action, Identity, SubscriptionGrant
from hub.domain.topics import Namespaces, Position
from hub.store.keys import Keys
from hub.store.presence import Attendance
from hub.store.server import Server
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

    @property
    def info(self) -> bytes:
        """What is seen of the client that has published it (`hub.protocol.client_info`); empty of a service's."""
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

    async def publish_many(self, publications: Sequence[Publication]) -> object:
        """Publish in order, each at most once for its id. After an error any of them may have gone out."""
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


class PresenceStats(Protocol):
    """How many are there."""

    @property
    def clients(self) -> int:
        """Clients."""
        ...

    @property
    def users(self) -> int:
        """Users, each with one client or more."""
        ...


class Presence(Protocol):
    """Who is subscribed to what, on all workers. Every method raises StoreUnavailable."""

    async def change_many(self, attendances: Sequence[Attendance]) -> None:
        """Tell who is there and who is not, in order. Telling it twice changes nothing."""
        ...

    async def members(self, topic: Topic, *, limit: int) -> Mapping[str, bytes]:
        """Return what is seen of the clients that are there, by client; at most `limit` of them."""
        ...

    async def stats(self, topic: Topic) -> PresenceStats:
        """Count who is there."""
        ...


class Stores(Protocol):
    """What the gateway reads and writes. The object of `hub.app` fits."""

    @property
    def server(self) -> Server:
        """The Redis that publishes."""
        ...

    @property
    def keys(self) -> Keys:
        """The names of its channels."""
        ...

    @property
    def namespaces(self) -> Namespaces:
        """The kinds of topics."""
        ...

    @property
    def topics(self) -> Topics:
        """The streams."""
        ...

    @property
    def directives(self) -> DirectiveLog:
        """What services want done with connections."""
        ...

    @property
    def workers(self) -> Register:
        """The register of the gateway's workers."""
        ...

    @property
    def presence(self) -> Presence:
        """Who is subscribed, over all workers."""
        ...
