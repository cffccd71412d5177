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
    """Subscribe to a topic if permitted, then call `joined` or `not_joined`. `since` None starts at the present."""

    id: int
    topic: Topic
    since: Position | None
    reject_unrecovered: bool


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
    """Whether the connection is subscribed, and so need not be asked for its permission again."""


class Call(Struct, frozen=True):
    """Call an operation, then call `answered`."""

    id: int
    method: str
    data: bytes


class Renew(Struct, frozen=True):
    """Check a fresh token, then call `renewed` or `refused`."""

    id: int
    token: str


class Close(Struct, frozen=True):
    """End the connection."""

    why: Disconnect


Effect = Send | Authenticate | Join | Leave | ReadHistory | Call | Renew | Close
