"""What a client's requests ask for: each checked and made into an effect, or refused with a CommandError."""

from __future__ import annotations

from hub.domain.ids import Epoch, Topic
from hub.domain.topics import Position, is_valid
from hub.protocol import codes, wire
from hub.protocol.effects import Call, Join, Publish, ReadHistory, ReadPresence, Renew

_MAX_METHOD = 128


def topic(channel: str) -> Topic:
    """Return the topic that a request is about."""
    if not channel:
        raise codes.bad_request()
    if not is_valid(channel):
        raise codes.unknown_channel()
    return Topic(channel)


def since(request: wire.SubscribeRequest) -> Position | None:
    """Return where a subscriber's memory ends, if it wants what came after that."""
    return Position(Epoch(request.epoch), max(0, request.offset)) if request.recover else None


def join(command_id: int, request: wire.SubscribeRequest) -> Join:
    """Return the subscription that is asked for."""
    return Join(
        command_id,
        topic(request.channel),
        since(request),
        token=request.token,
        recoverable=request.recoverable,
        positioned=request.positioned,
        join_leave=request.join_leave,
        reject_unrecovered=bool(request.flag & wire.REJECT_UNRECOVERED),
    )


def history(command_id: int, request: wire.HistoryRequest, *, subscribed: bool, limit: int) -> ReadHistory:
    """Return the page of history that is asked for, `limit` publications at most."""
    about = topic(request.channel)
    after = request.since
    if after is not None and after.offset < 0:
        raise codes.bad_request()
    position = None if after is None else Position(Epoch(after.epoch), after.offset)
    wanted = min(request.limit, limit) if request.limit >= 0 else limit
    return ReadHistory(command_id, about, position, wanted, request.reverse, subscribed)


def presence(command_id: int, request: wire.ChannelRequest, *, stats: bool, subscribed: bool) -> ReadPresence:
    """Return the look at who is subscribed that is asked for."""
    return ReadPresence(command_id, topic(request.channel), stats=stats, subscribed=subscribed)


def publish(command_id: int, request: wire.PublishRequest, *, subscribed: bool) -> Publish:
    """Return the publication that is asked for."""
    about = topic(request.channel)
    data = bytes(request.data)
    if not data:
        raise codes.bad_request()
    return Publish(command_id, about, data, subscribed=subscribed)


def call(command_id: int, request: wire.RpcRequest) -> Call:
    """Return the call that is asked for."""
    if not request.method:
        raise codes.bad_request()
    if len(request.method) > _MAX_METHOD:
        raise codes.method_not_found()
    return Call(command_id, request.method, bytes(request.data))


def refresh(command_id: int, request: wire.RefreshRequest) -> Renew:
    """Return the renewal that is asked for."""
    if not request.token:
        raise codes.bad_request()
    return Renew(command_id, request.token)
