"""What a session asks its adapter to do. Values only; `hub.gateway.connection` carries them out in order."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from hub.domain.ids import Topic
from hub.domain.topics import Position
from hub.protocol.codes import Disconnect
from hub.protocol.wire import Message


class Send(Struct, frozen=True, gc=False):
    """Tell the client. Messages of the same call are sent in one frame."""

    message: Message


class Authenticate(Struct, frozen=True):
    """Check a connection token, then call `admitted` or `refused`. `positions` say where the client's memory ends."""

    id: int
    token: str
    positions: Mapping[str, Position]


class Join(Struct, frozen=True):
    """Subscribe to a topic if permitted, then call `joined` or `not_joined`. `since` None starts at the present.

    With a `token`, it alone decides. `recoverable`, `positioned` and `join_leave` are wishes.
    """

    id: int
    topic: Topic
    since: Position | None = None
    token: str = ""
    recoverable: bool = False
    positioned: bool = False
    join_leave: bool = False
    reject_unrecovered: bool = False


class Leave(Struct, frozen=True):
    """Give up what `joined` got as its seat."""

    seat: object


class ReadHistory(Struct, frozen=True):
    """Read a page of a topic, then call `answered`. `limit` 0 asks for the position only."""

    id: int
    topic: Topic
    since: Position | None
    limit: int
    reverse: bool
    subscribed: bool
    """Whether the connection is subscribed, on which its permission may depend."""


class ReadPresence(Struct, frozen=True):
    """Read who is subscribed to a topic, or with `stats` only how many they are, then call `answered`."""

    id: int
    topic: Topic
    stats: bool
    subscribed: bool


class Publish(Struct, frozen=True):
    """Publish on a topic if permitted, then call `answered`. Publications of one client keep their order."""

    id: int
    topic: Topic
    data: bytes
    subscribed: bool


class Call(Struct, frozen=True):
    """Call an operation, then call `answered`."""

    id: int
    method: str
    data: bytes


class Renew(Struct, frozen=True):
    """Check a fresh token, then call `renewed` or `refused`."""

    id: int
    token: str


class RenewSubscription(Struct, frozen=True):
    """Check a fresh token of the subscription that has this `seat`, then call `subscription_renewed` or `refused`."""

    id: int
    topic: Topic
    token: str
    seat: object


class Close(Struct, frozen=True):
    """End the connection."""

    why: Disconnect


Effect = (
    Send | Authenticate | Join | Leave | ReadHistory | ReadPresence | Publish | Call | Renew | RenewSubscription | Close
)
