"""One connection's conversation, as a pure state machine: commands in, effects out.

    OPEN ── connect ──▶ CONNECTING ── connected ──▶ CONNECTED
      ◀───── refused ──────┘                            │
      └────────────────── any Close ──▶ CLOSED ◀────────┘

An SDK may send its connect and subscribe commands in one frame, so commands that come while CONNECTING are held and
take effect once the client is connected. Everything a session keeps is bounded by its `Limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from hub.domain.ids import Topic
from hub.domain.permission import Identity
from hub.domain.topics import Position
from hub.protocol import codes, requests, wire
from hub.protocol.codec import Malformed
from hub.protocol.codes import CommandError, Disconnect, Unsubscribed
from hub.protocol.effects import Authenticate, Close, Effect, Join, Leave, RenewSubscription, Send
from hub.protocol.wire import Command, Error, Push, Reply, UnsubscribePush

Seat = TypeVar("Seat")
"""What the adapter holds for an established subscription; opaque here."""

_MAX_ID = 2**32 - 1
_DONE = wire.Done()
_BY_SERVER = 0
"""In place of a command's id, for a subscription that the server is making."""


class State(IntEnum):
    """How far the conversation has come."""

    OPEN = 0
    CONNECTING = 1
    CONNECTED = 2
    CLOSED = 3


class Limits(Struct, frozen=True):
    """What one connection may do. Shared by all sessions of a worker."""

    version: str = "0"
    ping_s: int = 25
    max_subscriptions: int = 128
    max_server_subscriptions: int = 8
    max_commands_per_second: int = 100
    max_inflight: int = 32
    """Calls, publications and reads that may be worked on at once."""
    max_history: int = 500
    expiry_margin_s: int = 10
    """How long before its token expires a client is told to bring a new one."""

    def refresh_in_s(self, expires_s: int | None, unix_s: int) -> int:
        """Return after how many seconds a client shall bring a new token for what ends at `expires_s`; 0 for never.

        Before the end, as the SDKs begin only when the time is up.
        """
        if expires_s is None:
            return 0
        left = expires_s - unix_s
        return max(1, left - min(self.expiry_margin_s, max(1, left // 4)))


class Session(Generic[Seat]):
    """The state of one connection. Not reentrant: each method's effects are carried out before the next call."""

    __slots__ = (
        "_held",
        "_inflight",
        "_limits",
        "_refilled_s",
        "_tokens",
        "client",
        "identity",
        "state",
        "subscriptions",
    )

    def __init__(self, client: str, limits: Limits) -> None:
        self.client = client
        self.state = State.OPEN
        self.identity: Identity | None = None
        self.subscriptions: dict[Topic, Seat | int] = {}
        """Seats by topic; while the subscription is being made, the command's id or `_BY_SERVER`."""
        self._limits = limits
        self._held: list[Command] | None = None
        self._inflight = 0
        # As many at once as a reconnecting app sends in one go: connect and all its subscriptions.
        self._tokens = float(limits.max_commands_per_second + limits.max_subscriptions)
        self._refilled_s = 0.0

    # What comes from the client

    def receive(self, command: Command | Malformed, now_s: float) -> list[Effect]:
        """Take the next command. `now_s` is monotonic and only serves the rate limit."""
        if self.state is State.CLOSED:
            return []
        if not self._within_rate(now_s):
            return self.close(codes.TOO_MANY_REQUESTS)
        if isinstance(command, Malformed):
            return self._malformed(command)
        if not 0 <= command.id <= _MAX_ID:
            return self.close(codes.BAD_REQUEST)
        if self.state is State.CONNECTED:
            return self._connected(command)
        if self.state is State.CONNECTING:
            return self._hold(command)
        if command.connect is None or command.id == 0:
            return self.close(codes.BAD_REQUEST)
        self.state = State.CONNECTING
        return [Authenticate(command.id, command.connect.token, _positions(command.connect))]

    def spend(self, now_s: float) -> list[Effect]:
        """Count something that is no command but costs as much against the same limit."""
        return [] if self._within_rate(now_s) else self.close(codes.TOO_MANY_REQUESTS)

    def _within_rate(self, now_s: float) -> bool:
        rate = self._limits.max_commands_per_second
        full = float(rate + self._limits.max_subscriptions)
        self._tokens = min(full, self._tokens + (now_s - self._refilled_s) * rate) - 1.0
        self._refilled_s = now_s
        return self._tokens >= 0.0

    def _malformed(self, line: Malformed) -> list[Effect]:
        if line.id and self.state is State.CONNECTED:
            return [_error(line.id, codes.bad_request())]
        return self.close(codes.BAD_REQUEST)

    def _hold(self, command: Command) -> list[Effect]:
        if command.connect is not None:
            return self.close(codes.BAD_REQUEST)
        if self._held is None:
            self._held = []
        if len(self._held) > 2 * self._limits.max_subscriptions:
            return self.close(codes.TOO_MANY_REQUESTS)
        self._held.append(command)
        return []

    def _connected(self, command: Command) -> list[Effect]:
        if command.id == 0:
            return self._without_reply(command)
        try:
            return self._carry_out(command)
        except CommandError as error:
            return [_error(command.id, error)]

    def _without_reply(self, command: Command) -> list[Effect]:
        """A pong, or a message that wants no answer: those are dropped, for nobody here listens to them."""
        if command.send is not None or command == _PONG:
            return []
        return self.close(codes.BAD_REQUEST)

    def _carry_out(self, command: Command) -> list[Effect]:
        if command.rpc is not None:
            return self._admit(requests.call(command.id, command.rpc))
        if command.publish is not None:
            subscribed = self._subscribed(command.publish.channel)
            return self._admit(requests.publish(command.id, command.publish, subscribed=subscribed))
        if command.subscribe is not None:
            return self._subscribe(requests.join(command.id, command.subscribe))
        if command.unsubscribe is not None:
            return self._unsubscribe(command.id, Topic(command.unsubscribe.channel))
        if command.history is not None:
            subscribed, limit = self._subscribed(command.history.channel), self._limits.max_history
            return self._admit(requests.history(command.id, command.history, subscribed=subscribed, limit=limit))
        return self._carry_out_rarer(command)

    def _carry_out_rarer(self, command: Command) -> list[Effect]:
        if command.refresh is not None:
            return [requests.refresh(command.id, command.refresh)]
        if command.sub_refresh is not None:
            return self._refresh_subscription(command.id, command.sub_refresh)
        if (asked := command.presence or command.presence_stats) is not None:
            subscribed, stats = self._subscribed(asked.channel), command.presence is None
            return self._admit(requests.presence(command.id, asked, stats=stats, subscribed=subscribed))
        if command.ping is not None:
            return [_reply(Reply(command.id, ping=_DONE))]
        if command.connect is not None:
            return self.close(codes.BAD_REQUEST)
        if command.send is not None:
            return []
        raise codes.method_not_found()

    def _subscribed(self, channel: str) -> bool:
        return not isinstance(self.subscriptions.get(Topic(channel), 0), int)

    def _subscribe(self, join: Join) -> list[Effect]:
        if join.topic in self.subscriptions:
            raise codes.already_subscribed()
        if len(self.subscriptions) >= self._limits.max_subscriptions + self._limits.max_server_subscriptions:
            raise codes.limit_exceeded()
        self.subscriptions[join.topic] = join.id
        return [join]

    def _unsubscribe(self, command_id: int, topic: Topic) -> list[Effect]:
        # Success also where there was nothing: an SDK that gets an error here drops its whole connection.
        seat = self.subscriptions.pop(topic, None)
        done = _reply(Reply(command_id, unsubscribe=_DONE))
        if seat is None or seat == _BY_SERVER:
            return [done]
        # A subscribe command that is overtaken is answered so that an SDK which has changed its mind again goes on.
        return [_error(seat, codes.internal()), done] if isinstance(seat, int) else [Leave(seat), done]

    def _refresh_subscription(self, command_id: int, request: wire.SubRefreshRequest) -> list[Effect]:
        topic = requests.topic(request.channel)
        seat = self.subscriptions.get(topic, 0)
        if isinstance(seat, int):
            raise codes.permission_denied()
        if not request.token:
            raise codes.bad_request()
        return [RenewSubscription(command_id, topic, request.token, seat)]

    def _admit(self, work: Effect) -> list[Effect]:
        """Let something begin that takes a while, unless too much of it is under way."""
        if self._inflight >= self._limits.max_inflight:
            raise codes.too_many_requests()
        self._inflight += 1
        return [work]

    # What becomes of the effects

    def admitted(self, identity: Identity) -> None:
        """The token of the connect command is good. `connected` or `refused` follows."""
        self.identity = identity

    def connected(
        self, command_id: int, seats: Mapping[Topic, tuple[Seat, wire.SubscribeResult]], *, unix_s: int
    ) -> list[Effect]:
        """The server-side subscriptions stand: tell the client, and take up what it sent meanwhile."""
        if self.state is not State.CONNECTING or self.identity is None:
            return [Leave(seat) for seat, _ in seats.values()]
        self.state = State.CONNECTED
        self.subscriptions.update({topic: seat for topic, (seat, _) in seats.items()})
        ttl = self._limits.refresh_in_s(self.identity.expires_s, unix_s)
        result = wire.ConnectResult(
            self.client,
            self._limits.version,
            self._limits.ping_s,
            pong=True,
            subs={topic: start for topic, (_, start) in seats.items()},
            expires=ttl > 0,
            ttl=ttl,
        )
        effects: list[Effect] = [_reply(Reply(command_id, connect=result))]
        held, self._held = self._held, None
        for command in held or ():
            effects += self._connected(command) if self.state is State.CONNECTED else []
        return effects

    def refused(self, command_id: int, error: CommandError) -> list[Effect]:
        """A connect, refresh or sub_refresh command failed. After a refused connect the client may try again.

        What it sent after a refused connect is refused with it.
        """
        if self.state is State.CLOSED:
            return []
        refused = [command_id]
        if self.state is State.CONNECTING:
            held, self._held = self._held, None
            refused += [command.id for command in held or () if command.id]
            self.state = State.OPEN
            self.identity = None
        return [_error(refused_id, error) for refused_id in refused]

    def renewed(self, command_id: int, identity: Identity, *, unix_s: int) -> list[Effect]:
        """A fresh token is good. It must be the same person's."""
        if self.state is not State.CONNECTED or self.identity is None:
            return []
        if identity.user != self.identity.user:
            return self.close(codes.INVALID_TOKEN)
        self.identity = identity
        ttl = self._limits.refresh_in_s(identity.expires_s, unix_s)
        result = wire.RefreshResult(self.client, self._limits.version, expires=ttl > 0, ttl=ttl)
        return [_reply(Reply(command_id, refresh=result))]

    def subscription_renewed(self, command_id: int, ttl: int) -> list[Effect]:
        """A fresh subscription token is good; `ttl` is after how many seconds the next one is wanted, 0 for never."""
        if self.state is not State.CONNECTED:
            return []
        return [_reply(Reply(command_id, sub_refresh=wire.SubRefreshResult(expires=ttl > 0, ttl=ttl)))]

    def joined(self, command_id: int, topic: Topic, seat: Seat, start: wire.SubscribeResult) -> list[Effect]:
        """A subscription stands, unless the client has changed its mind meanwhile."""
        if self.state is not State.CONNECTED or self.subscriptions.get(topic) != command_id:
            return [Leave(seat)]
        self.subscriptions[topic] = seat
        return [_reply(Reply(command_id, subscribe=start))]

    def not_joined(self, command_id: int, topic: Topic, error: CommandError) -> list[Effect]:
        """A subscription was refused or failed. One that was given up meanwhile has been answered already."""
        if self.state is not State.CONNECTED or self.subscriptions.get(topic) != command_id:
            return []
        del self.subscriptions[topic]
        return [_error(command_id, error)]

    def answered(self, reply: Reply | CommandError, command_id: int) -> list[Effect]:
        """A call, a publication or a read is done."""
        self._inflight -= 1
        if self.state is not State.CONNECTED:
            return []
        return [_error(command_id, reply) if isinstance(reply, CommandError) else _reply(reply)]

    # What the server does by itself

    def ended(self, topic: Topic, why: Unsubscribed) -> list[Effect]:
        """End a client's subscription, whose seat is gone already."""
        if self.subscriptions.pop(topic, None) is None or self.state is not State.CONNECTED:
            return []
        return [_push(Push(topic, unsubscribe=UnsubscribePush(why.code, why.reason)))]

    def granting(self, topic: Topic) -> bool:
        """The server wants to subscribe the client by itself. Return whether it shall: `granted` or `withheld` follows.

        It shall not where the client is subscribed, or has as many subscriptions as it may have.
        """
        full = len(self.subscriptions) >= self._limits.max_subscriptions + self._limits.max_server_subscriptions
        if self.state is not State.CONNECTED or topic in self.subscriptions or full:
            return False
        self.subscriptions[topic] = _BY_SERVER
        return True

    def withheld(self, topic: Topic) -> None:
        """What the server wanted to subscribe the client to could not be had."""
        if self.subscriptions.get(topic) == _BY_SERVER:
            del self.subscriptions[topic]

    def granted(self, topic: Topic, seat: Seat, start: wire.SubscribeResult) -> list[Effect]:
        """A subscription of the server's stands: the client is told where it starts, and what it has missed since."""
        if self.state is not State.CONNECTED or self.subscriptions.get(topic) != _BY_SERVER:
            return [Leave(seat)]
        self.subscriptions[topic] = seat
        missed = start.publications
        before = missed[0].offset - 1 if missed else start.offset
        told = wire.SubscribePush(start.recoverable, start.epoch, before, start.positioned)
        return [_push(Push(topic, subscribe=told)), *(_push(Push(topic, pub=publication)) for publication in missed)]

    def revoked(self, topic: Topic, why: Unsubscribed) -> list[Effect]:
        """End a subscription that either side has made, or is making."""
        if self.state is not State.CONNECTED:
            return []
        seat = self.subscriptions.pop(topic, None)
        if seat is None:
            return []
        if isinstance(seat, int):
            return [_error(seat, codes.permission_denied())] if seat != _BY_SERVER else []
        return [Leave(seat), _push(Push(topic, unsubscribe=UnsubscribePush(why.code, why.reason)))]

    def expiring(self, expires_s: int | None, *, unix_s: int) -> list[Effect]:
        """Let the connection end at another time than its token says; None: never."""
        if self.state is not State.CONNECTED or self.identity is None:
            return []
        self.identity = replace(self.identity, expires_s=expires_s)
        ttl = self._limits.refresh_in_s(expires_s, unix_s)
        return [_push(Push(refresh=wire.RefreshPush(expires=ttl > 0, ttl=ttl)))]

    def close(self, why: Disconnect) -> list[Effect]:
        """End the conversation."""
        if self.state is State.CLOSED:
            return []
        return [*self.closed(), Close(why)]

    def closed(self) -> list[Effect]:
        """The connection is gone: give up every seat. Later calls have no effects."""
        seats = [seat for seat in self.subscriptions.values() if not isinstance(seat, int)]
        self.state = State.CLOSED
        self.subscriptions = {}
        self._held = None
        return [Leave(seat) for seat in seats]


_PONG = Command()


def _reply(reply: Reply) -> Send:
    return Send(reply)


def _push(push: Push) -> Send:
    return Send(push)


def _error(command_id: int, error: CommandError) -> Send:
    return Send(Reply(command_id, error=Error(error.code, error.message, error.temporary)))


def _positions(request: wire.ConnectRequest) -> dict[str, Position]:
    subs = request.subs.items()
    return {name: position for name, sub in subs if (position := requests.since(sub)) is not None}
