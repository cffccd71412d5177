"""The messages of the Centrifuge client protocol (JSON), version 2: `definitions/client.proto` of centrifugal/protocol.

Fields we do not serve (delta, maps, tag filters) are left out: decoding ignores them.
`bytes` fields of the definition are embedded JSON values here.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

EMPTY_JSON = Raw(b"null")
_ABSENT = Raw()


class _Received(Struct, frozen=True, gc=False):
    """Something a client sends."""


class _Sent(Struct, frozen=True, omit_defaults=True):
    """Something a client is sent; fields at their default are left out."""


class ConnectRequest(_Received, frozen=True):
    """`subs` has the positions at which the client's server-side subscriptions stood."""

    token: str = ""
    subs: dict[str, SubscribeRequest] = {}


class SubscribeRequest(_Received, frozen=True):
    """`recover` asks for everything after `offset` of `epoch`; `token` opens channels that want one."""

    channel: str = ""
    token: str = ""
    recover: bool = False
    epoch: str = ""
    offset: int = 0
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False
    flag: int = 0


REJECT_UNRECOVERED = 2
"""Bit of `SubscribeRequest.flag`: answer with error 112 where the position cannot be recovered."""


class ChannelRequest(_Received, frozen=True):
    """A command about one channel: unsubscribe, presence, presence_stats."""

    channel: str = ""


class PublishRequest(_Received, frozen=True):
    """One publication of the client's own; no `data` at all is a mistake."""

    channel: str = ""
    data: Raw = _ABSENT


class SubRefreshRequest(_Received, frozen=True):
    """A fresh subscription token."""

    channel: str = ""
    token: str = ""


class StreamPosition(_Received, frozen=True):
    """A place in a channel's stream."""

    offset: int = 0
    epoch: str = ""


class HistoryRequest(_Received, frozen=True):
    """`limit` 0 asks for the position only, -1 for as much as there is."""

    channel: str = ""
    limit: int = 0
    since: StreamPosition | None = None
    reverse: bool = False


class RpcRequest(_Received, frozen=True):
    """A call of one operation; `data` is its request."""

    method: str = ""
    data: Raw = EMPTY_JSON


class RefreshRequest(_Received, frozen=True):
    """A fresh connection token."""

    token: str = ""


class Empty(_Received, frozen=True):
    """A command without fields of interest."""


class Command(_Received, frozen=True):
    """One command. A client sets `id` and one of the others; a command with nothing set is a pong."""

    id: int = 0
    connect: ConnectRequest | None = None
    subscribe: SubscribeRequest | None = None
    unsubscribe: ChannelRequest | None = None
    publish: PublishRequest | None = None
    presence: ChannelRequest | None = None
    presence_stats: ChannelRequest | None = None
    history: HistoryRequest | None = None
    ping: Empty | None = None
    send: Empty | None = None
    rpc: RpcRequest | None = None
    refresh: RefreshRequest | None = None
    sub_refresh: SubRefreshRequest | None = None


class Error(_Sent, frozen=True):
    """Why a command was refused."""

    code: int
    message: str
    temporary: bool = False


class ClientInfo(_Sent, frozen=True):
    """What others see of a client in a channel. `conn_info` comes with its connection, `chan_info` with its token."""

    user: str = ""
    client: str = ""
    conn_info: Raw | None = None
    chan_info: Raw | None = None


class Publication(_Sent, frozen=True):
    """One publication; `offset` 0 where the channel keeps no history. `info` is of the client that published it."""

    data: Raw
    offset: int = 0
    info: ClientInfo | None = None


class SubscribeResult(Struct, frozen=True, omit_defaults=True):
    """What a subscriber starts from: the position that `publications` lead up to.

    `ttl` is after how many seconds the client should bring a fresh token for it; `data` comes from a token.
    """

    epoch: str
    offset: int
    recoverable: bool = False
    positioned: bool = False
    publications: tuple[Publication, ...] = ()
    was_recovering: bool = False
    recovered: bool = False
    expires: bool = False
    ttl: int = 0
    data: Raw | None = None


class ConnectResult(_Sent, frozen=True):
    """`ping` is the interval in seconds; `ttl` the seconds after which the client should refresh its token."""

    client: str
    version: str
    ping: int
    pong: bool
    subs: dict[str, SubscribeResult] = {}
    expires: bool = False
    ttl: int = 0


class HistoryResult(Struct, frozen=True):
    """A page of a channel's stream, and its top."""

    publications: tuple[Publication, ...]
    epoch: str
    offset: int


class PresenceResult(Struct, frozen=True):
    """Who is subscribed, by client."""

    presence: dict[str, ClientInfo]


class PresenceStatsResult(Struct, frozen=True):
    """How many clients are subscribed, and of how many users."""

    num_clients: int
    num_users: int


class RpcResult(Struct, frozen=True):
    """The response of an operation."""

    data: Raw


class RefreshResult(_Sent, frozen=True):
    """When to refresh the next time."""

    client: str
    version: str
    expires: bool = False
    ttl: int = 0


class SubRefreshResult(_Sent, frozen=True):
    """When to bring the next token for a subscription."""

    expires: bool = False
    ttl: int = 0


class Done(Struct, frozen=True):
    """A result without fields."""


class Reply(_Sent, frozen=True):
    """The answer to the command with this `id`: an error or the one result."""

    id: int
    error: Error | None = None
    connect: ConnectResult | None = None
    subscribe: SubscribeResult | None = None
    unsubscribe: Done | None = None
    publish: Done | None = None
    presence: PresenceResult | None = None
    presence_stats: PresenceStatsResult | None = None
    history: HistoryResult | None = None
    ping: Done | None = None
    rpc: RpcResult | None = None
    refresh: RefreshResult | None = None
    sub_refresh: SubRefreshResult | None = None


class UnsubscribePush(Struct, frozen=True):
    """The server has ended a subscription."""

    code: int
    reason: str


class SubscribePush(_Sent, frozen=True):
    """The server has subscribed the client, whose memory of the channel begins after `offset`."""

    recoverable: bool = False
    epoch: str = ""
    offset: int = 0
    positioned: bool = False


class RefreshPush(_Sent, frozen=True):
    """The server has moved the end of the connection."""

    expires: bool = False
    ttl: int = 0


class DisconnectPush(Struct, frozen=True):
    """The connection ends. Only where there is no close frame to say so: on an event stream."""

    code: int
    reason: str


class Attendee(Struct, frozen=True):
    """Somebody has come into a channel, or left it."""

    info: ClientInfo


class Push(_Sent, frozen=True):
    """Something the client did not ask for. `channel` and one of the others are set."""

    channel: str = ""
    pub: Publication | None = None
    subscribe: SubscribePush | None = None
    join: Attendee | None = None
    leave: Attendee | None = None
    unsubscribe: UnsubscribePush | None = None
    refresh: RefreshPush | None = None
    connect: ConnectResult | None = None
    """What a connect reply says, to clients who have sent no command."""
    disconnect: DisconnectPush | None = None


class Pushed(Struct, frozen=True):
    """The envelope of a push."""

    push: Push


Message = Reply | Push
"""What a client is sent."""


def publication(topic: str, data: bytes, offset: int, info: ClientInfo | None = None) -> Push:
    """Return the push of one publication. `data` is one JSON value; `offset` 0 stands for a topic without history."""
    return Push(topic, pub=Publication(Raw(data), offset, info))


def raw(data: bytes | Raw) -> Raw:
    """Return a JSON value of its own: a decoded `Raw` is a view into the frame it came with."""
    return data if isinstance(data, Raw) else msgspec.Raw(data)
