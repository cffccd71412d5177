"""A client's connection as an event stream (SSE): the same pushes, one way, over plain HTTP.

The first event is a `connect` push with everything that the client is subscribed to and has missed; then come
publications and whatever else there is to tell. Each event's id says how far the client has come in all of its topics,
so that a browser resumes by itself. The body ends with the connection: no chunks, one write for an event.

What a topic's event says is encoded once for all streams; only the id before it is each client's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import msgspec

from hub.domain.ids import Topic
from hub.gateway.connection import Connection
from hub.gateway.formats import EVENTS
from hub.gateway.handshake import refusal
from hub.gateway.stream_request import Asked
from hub.gateway.subscriptions import Subscription
from hub.gateway.worker import Worker
from hub.protocol import codes
from hub.protocol.codes import Disconnect
from hub.protocol.effects import Authenticate, Effect
from hub.protocol.event_ids import event_id, place
from hub.protocol.wire import (
    Command,
    ConnectRequest,
    ConnectResult,
    DisconnectPush,
    Error,
    Message,
    Push,
    Reply,
    SubscribeRequest,
    SubscribeResult,
    UnsubscribePush,
)

_PING = b":\n\n"
"""A comment: proxies see that the stream lives, apps do not see anything."""
_RETRY_MS = (500, 3_000)
"""After what time a browser comes back, spread so that not all come at once."""
_STAY_AWAY_MS = 86_400_000
"""A browser always comes back; this is how it is told not to."""
_CONNECT_ID = 1
_ALREADY = codes.already_subscribed().code
_STATUS = {
    codes.INVALID_TOKEN.code: HTTPStatus.UNAUTHORIZED,
    codes.BAD_REQUEST.code: HTTPStatus.BAD_REQUEST,
}
"""How a request is refused that shall not be made again as it is; else it is forbidden."""
_UNAUTHORIZED = frozenset({codes.unauthorized().code, codes.token_expired().code})


class EventStream(Connection):
    """A connection that only tells. Until its client is connected the answer's head has not been written."""

    __slots__ = ("_asked", "_connected_as", "_early", "_subs", "_wanted")

    def __init__(self, worker: Worker, asked: Asked) -> None:
        super().__init__(worker, EVENTS)
        self._asked: Asked | None = asked
        self._wanted: dict[int, Topic] = {}
        """Topics that the request names, by the command that subscribes to them, while they are not answered."""
        self._connected_as: ConnectResult | None = None
        self._subs: dict[str, SubscribeResult] = {}
        self._early: list[Push] = []
        """What has to be told right after the connect push."""

    # The way in

    def open(self, transport: asyncio.Transport, *, address: str = "") -> None:
        """Take over a transport, and connect the client as its request says."""
        asked = self._asked
        self.adopt(transport, b"", address=address)
        self._worker.streams += 1
        self.write = self._write_event
        # Nobody answers a ping here: unless what is written gets acknowledged, the client is gone.
        silence_s = self._worker.limits.ping_s + self._worker.settings.pong_timeout_s
        _bound_silence(transport, silence_s)
        # Nothing is told before the connect push: what comes meanwhile is read from the stream afterwards.
        self.paused = True
        if asked is None:
            return
        effects: list[Effect] = []
        for command in self._commands(asked):
            effects += self.session.receive(command, self._worker.now_s())
        self.perform(_resuming(effect, asked) for effect in effects)

    def _commands(self, asked: Asked) -> Iterator[Command]:
        """Return the commands that the request stands for: a connect, and a subscribe for each topic that it names."""
        connect = asked.connect
        yield Command(_CONNECT_ID, connect=ConnectRequest(connect.token, subs=connect.subs))
        for number, (name, sub) in enumerate(connect.subs.items(), _CONNECT_ID + 1):
            self._wanted[number] = Topic(name)
            yield Command(number, subscribe=_subscribe(name, sub, asked))

    def data_received(self, data: bytes) -> None:
        """Hear nothing: the request was all that there is to say."""
        if data.strip():
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything."""
        self._worker.streams -= 1
        self._asked = None
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """The socket has drained: go on, if the client is connected at all."""
        super().resume_writing()
        if self._asked is not None:
            self.paused = True

    # What is told

    def _flush(self, messages: Sequence[Message]) -> None:
        pushes: list[Push] = []
        for message in messages:
            if isinstance(message, Push):
                (pushes if self._asked is None else self._early).append(message)
            elif not self._closing:
                self._answered(message)
        if self._connected_as is not None and not self._wanted and self._asked is not None:
            self._begin(self._asked, self._connected_as)
        elif pushes and not self._closing:
            self._write_events(pushes)

    def _answered(self, reply: Reply) -> None:
        """Take what became of one of the request's commands."""
        topic = self._wanted.pop(reply.id, None)
        if reply.connect is not None:
            self._connected_as = reply.connect
        elif reply.subscribe is not None and topic is not None:
            self._subs[topic] = reply.subscribe
        elif reply.error is not None and topic is not None:
            self._not_subscribed(topic, reply.error)
        elif reply.error is not None:
            self._refuse(reply.error)

    def _not_subscribed(self, topic: Topic, error: Error) -> None:
        if error.temporary:
            self.perform(self.session.close(codes.SERVER_ERROR))
        elif error.code != _ALREADY:
            # What connecting has subscribed needs no other subscription.
            self._early.append(Push(topic, unsubscribe=UnsubscribePush(error.code, error.message)))

    def _refuse(self, error: Error) -> None:
        """End what could not become a connection: the same request would not fare better, unless we are at fault."""
        if error.code in _UNAUTHORIZED:
            why = Disconnect(codes.INVALID_TOKEN.code, error.message)
        else:
            why = codes.SERVER_ERROR if error.temporary else Disconnect(codes.BAD_REQUEST.code, error.message)
        self.perform(self.session.close(why))

    def _begin(self, asked: Asked, result: ConnectResult) -> None:
        """Write the head of the answer and the connect push; from here on the stream runs."""
        self._asked = None
        connect = msgspec.structs.replace(result, pong=False, subs={**result.subs, **self._subs})
        early = self._early
        # A stream lives for long, and needs none of this again.
        self._connected_as, self._early, self._subs = None, [], {}
        if self._transport is None or self._closing:
            return
        self._transport.write(asked.head + f"retry: {random.randint(*_RETRY_MS)}\n".encode())
        self._write_events([Push(connect=connect), *early])
        self.paused = self._full_since_s is not None
        for seat in self.session.subscriptions.values():
            if isinstance(seat, Subscription):
                self._worker.recovery.request(seat)

    def _write_events(self, pushes: Sequence[Push]) -> None:
        """Write events of which only the last has the id: who is cut off in between has not got all of them."""
        if len(pushes) > 1 and self._transport is not None:
            self._transport.write(b"".join([self.format.frame([push]) for push in pushes[:-1]]))
        self.write(self.format.frame(pushes[-1:]))

    def _write_event(self, frame: bytes) -> None:
        """Write an event behind the id that it brings the client to."""
        places = [
            f"{place(seat.topic.name, seat.topic.epoch)}{seat.offset:x}"
            for seat in self.session.subscriptions.values()
            if isinstance(seat, Subscription) and seat.topic.recoverable
        ]
        if self._transport is not None:
            self._transport.write(b"id: %s\n%s" % (event_id(places), frame))

    def _heartbeat(self, now_s: float) -> float:
        if self._transport is not None and self._asked is None:
            self._transport.write(_PING)
        return now_s + self._worker.limits.ping_s

    # The end

    def _say_goodbye(self, why: Disconnect) -> None:
        asked, self._asked = self._asked, None
        if self._transport is not None:
            self._transport.write(_last_event(why) if asked is None else no_stream(asked, why))


def _subscribe(name: str, sub: SubscribeRequest, asked: Asked) -> SubscribeRequest:
    reached = asked.reached.get(name)
    if reached is None:
        return msgspec.structs.replace(sub, channel=name)
    return msgspec.structs.replace(sub, channel=name, recover=True, epoch=reached.epoch, offset=reached.offset)


def _resuming(effect: Effect, asked: Asked) -> Effect:
    """Return the effect with the positions of `Last-Event-ID`: the browser keeps that up to date, not its request."""
    if isinstance(effect, Authenticate) and len(asked.reached):
        return msgspec.structs.replace(effect, positions=asked.reached)
    return effect


def no_stream(asked: Asked, why: Disconnect) -> bytes:
    """Return the whole answer to a request that gets no stream.

    A browser that may come again gets a stream with nothing in it but that: on any other answer it would not.
    """
    if why.reconnect and asked.by_browser:
        return asked.head + _last_event(why)
    if why.reconnect:
        retry = f"Retry-After: {random.randint(1, 5)}\r\n"
        return refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"{why.code} {why.reason}\n", f"{retry}{asked.cors}")
    return refusal(_STATUS.get(why.code, HTTPStatus.FORBIDDEN), f"{why.code} {why.reason}\n", asked.cors)


def _last_event(why: Disconnect) -> bytes:
    retry_ms = random.randint(*_RETRY_MS) if why.reconnect else _STAY_AWAY_MS
    told = EVENTS.frame([Push(disconnect=DisconnectPush(why.code, why.reason))])
    return b"retry: %d\n%s" % (retry_ms, told)


def _bound_silence(transport: asyncio.Transport, silence_s: float) -> None:
    """Have the system drop a connection of which nothing is acknowledged for so long."""
    sock = transport.get_extra_info("socket")
    if sock is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        with contextlib.suppress(OSError):  # It is no TCP socket.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(silence_s * 1_000))
