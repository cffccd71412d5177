"""One client's connection, whatever it speaks: what its session decides, carried out. No task and no timer of its own.

It reports back to the session what became of each effect. A write is one `transport.write` of bytes that are encoded
already. While its socket is full it is `paused`: it reads nothing and is written nothing but what is
under way, and afterwards its subscriptions catch up from the stream. So a slow client costs its socket buffer only.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

from msgspec import Raw

from hub.domain.ids import Topic
from hub.domain.permission import ANONYMOUS
from hub.domain.topics import Position
from hub.gateway.arrivals import Ask, Seats
from hub.gateway.commands import work_of
from hub.gateway.formats import Format
from hub.gateway.joining import renew
from hub.gateway.signing_in import identify, one_too_many, sign_in
from hub.gateway.subscriptions import GrantedSubscription, Subscription
from hub.gateway.worker import EXPIRY_GRACE_S, Worker
from hub.observe import logger
from hub.protocol import codes
from hub.protocol.codes import CommandError, Disconnect
from hub.protocol.effects import (
    Authenticate,
    Call,
    Close,
    Effect,
    Join,
    Leave,
    Publish,
    ReadHistory,
    ReadPresence,
    Renew,
    RenewSubscription,
    Send,
)
from hub.protocol.session import Session, State
from hub.protocol.wire import ClientInfo, Message

_log = logger(__name__)
CLOSE_TIMEOUT_S = 5.0
"""How long a client may take to hang up after it was told to."""
SLOW_TIMEOUT_S = 60.0
"""How long a socket may stay full: a train in a tunnel, a tab that sleeps. It costs its buffer."""


def _nowhere(_: bytes) -> None:
    """What is written after the end."""


class Connection(asyncio.Protocol):
    """A client's connection, from the handshake's answer on. Also the `Receiver` of its subscriptions.

    What is particular to a way of speaking is its subclass's: `data_received`, `_heartbeat` and `_say_goodbye`.
    """

    __slots__ = (
        "_address",
        "_closing",
        "_due_s",
        "_full_since_s",
        "_transport",
        "_worker",
        "format",
        "paused",
        "session",
        "slot",
        "write",
    )

    write: Callable[[bytes], None]

    def __init__(self, worker: Worker, spoken: Format) -> None:
        self._worker = worker
        self._address = ""
        self.format = spoken
        self._transport: asyncio.Transport | None = None
        self._closing = False
        self._full_since_s: float | None = None
        self._due_s = 0.0
        self.session: Session[Subscription] = Session(worker.client_id(), worker.limits)
        self.paused = False
        self.slot = -1

    # The transport

    def adopt(self, transport: asyncio.Transport, response: bytes, *, address: str = "") -> None:
        """Take over a transport whose handshake is accepted, and answer it. `address` is what it is counted by."""
        worker = self._worker
        self._address = address
        self._transport = transport
        self.write = transport.write
        transport.set_protocol(self)
        high = worker.settings.write_buffer_bytes
        transport.set_write_buffer_limits(high=high, low=high // 4)
        worker.connections.add(self)
        worker.tally.accepted["accepted"] += 1
        transport.write(response)
        self._wake_at(worker.now_s() + worker.settings.connect_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything."""
        worker = self._worker
        worker.wheel.clear(self)
        worker.connections.discard(self)
        worker.addresses.give_back(self._address)
        self._address = ""
        self._closing = True
        self._transport = None
        self.write = _nowhere
        self.paused = True
        self._forget()

    def eof_received(self) -> bool:
        """A client that stops sending has left."""
        return False

    def pause_writing(self) -> None:
        """The socket is full: stop reading too, for every command makes a reply."""
        self.paused = True
        self._full_since_s = self._worker.now_s()
        if self._transport is not None and not self._closing:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The socket has drained: go on, with what was missed first."""
        self.paused = False
        self._full_since_s = None
        if self._transport is None or self._closing:
            return
        self._transport.resume_reading()
        if self.session.state is State.CONNECTED:
            # No ping was sent meanwhile, and the client waits for one.
            self._due_s = self._worker.now_s()
            self._wake()
        for seat in self.session.subscriptions.values():
            if isinstance(seat, Subscription):
                self._worker.recovery.request(seat)

    # Effects

    def perform(self, effects: Iterable[Effect]) -> None:
        """Carry effects out in order; what is to be sent goes into one frame."""
        messages: list[Message] = []
        for effect in effects:
            match effect:
                case Send(message):
                    messages.append(message)
                case Close(why):
                    self._flush(messages)
                    self._close(why)
                    return
                case Leave(seat):
                    self._worker.leave(seat)
                case Authenticate():
                    sign_in(self, self._worker, effect)
                case Renew(command_id, token):
                    self._renew(command_id, token)
                case RenewSubscription():
                    renew(self, self._worker, effect)
                case Join() | Publish() | ReadHistory() | ReadPresence() | Call():
                    self._worker.spawn(work_of(self, self._worker, effect))
                case _:
                    assert_never(effect)
        self._flush(messages)

    def _flush(self, messages: Sequence[Message]) -> None:
        if messages and not self._closing:
            self.write(self.format.frame(messages))

    def _forget(self) -> None:
        """Give up every seat, and be nobody's connection any more."""
        identity = self.session.identity
        if identity is not None and identity.user:
            self._worker.people.discard(identity.user, self)
        self._leave(self.session.closed())

    def _leave(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Leave):
                self._worker.leave(effect.seat)

    def _renew(self, command_id: int, token: str) -> None:
        identity = identify(self, self._worker, command_id, token)
        if identity is not None:
            self.perform(self.session.renewed(command_id, identity, unix_s=int(self._worker.unix_s())))
            self._wake()

    def arrived(self, ask: Ask, outcome: Seats | CommandError) -> None:
        """Take the subscriptions that were asked for, or the reason why there are none."""
        session = self.session
        if isinstance(outcome, CommandError):
            self._not_arrived(ask, outcome)
            return
        for seat, _ in outcome.values():
            self._worker.enter(seat)
        if not ask.connect:
            for topic, (seat, start) in outcome.items():
                if ask.command_id:
                    self.perform(session.joined(ask.command_id, topic, seat, start))
                else:
                    self.perform(session.granted(topic, seat, start))
            return
        self._connected(ask, outcome)

    def _connected(self, ask: Ask, seats: Seats) -> None:
        session = self.session
        if one_too_many(self, self._worker):
            self.perform(session.close(codes.CONNECTION_LIMIT))
        now_s = self._worker.now_s()
        self.perform(session.connected(ask.command_id, seats, unix_s=int(self._worker.unix_s())))
        if session.state is State.CONNECTED:
            if session.identity is not None and session.identity.user:
                self._worker.people.add(session.identity.user, self)
            self._due_s = now_s + self._worker.limits.ping_s * random.uniform(0.2, 1.0)
            self._wake()

    def _not_arrived(self, ask: Ask, why: CommandError) -> None:
        session = self.session
        if ask.connect:
            self.perform(session.refused(ask.command_id, why))
            return
        (topic,) = ask.since
        if ask.command_id:
            self.perform(session.not_joined(ask.command_id, topic, why))
        else:
            session.withheld(topic)
            _log.warning("subscription_not_granted", topic=topic, error=str(why))

    def subscribe(self, topic: Topic, since: Position | None) -> None:
        """Subscribe the client from the server's side, if it is not subscribed: it is told by a push."""
        if self._worker.directory.options(topic) is not None and self.session.granting(topic):
            self._worker.arrivals.ask(Ask(self, 0, {topic: since}, connect=False))

    def expire_at(self, expires_s: int | None) -> None:
        """Let the connection end at another time than its token says; None: never."""
        self.perform(self.session.expiring(expires_s, unix_s=int(self._worker.unix_s())))
        if self.session.state is State.CONNECTED:
            self._wake()

    def insufficient(self, subscription: Subscription) -> None:
        """A subscription has left its topic, because what it missed can no longer be told."""
        if subscription.server_side:
            self.perform(self.session.close(codes.INSUFFICIENT_STATE))
        else:
            self._worker.leave(subscription)
            self.perform(self.session.ended(subscription.topic.name, codes.UNSUBSCRIBED_INSUFFICIENT))

    def subscription_due(self, subscription: GrantedSubscription) -> None:
        """End a subscription whose token has ended; its client, if it is still wanted, comes with a new one."""
        worker = self._worker
        if subscription.expires_s is None or worker.unix_s() < subscription.expires_s + EXPIRY_GRACE_S:
            worker.await_end(subscription)
            return
        worker.leave(subscription)
        self.perform(self.session.ended(subscription.topic.name, codes.UNSUBSCRIBED_EXPIRED))

    def seen_as(self, chan_info: Raw | None) -> ClientInfo:
        """Return what others see of this client, where its subscription has this `chan_info`."""
        identity = self.session.identity or ANONYMOUS
        return ClientInfo(identity.user, self.session.client, identity.info, chan_info)

    # Time

    def on_time(self, now_s: float) -> None:
        """The wheel has come round: do what is due."""
        if self._closing:
            if self._transport is not None:
                self._transport.abort()
        elif self.session.state is not State.CONNECTED:
            self._until_connected(now_s)
        elif self._expired():
            self.perform(self.session.close(codes.EXPIRED))
        elif now_s < self._due_s:
            self._wake()
        elif self._full_since_s is not None:
            self._while_full(now_s, self._full_since_s)
        else:
            self._due_s = self._heartbeat(now_s)
            self._wake()

    def _until_connected(self, now_s: float) -> None:
        if self.session.state is State.CONNECTING:
            # It has said who it is. What it waits for is us, and the store's own timeouts bound that.
            self._wake_at(now_s + self._worker.settings.connect_timeout_s)
        elif now_s < self._due_s:
            self._wake_at(self._due_s)
        else:
            self.perform(self.session.close(codes.STALE))

    def _while_full(self, now_s: float, since_s: float) -> None:
        # A ping would only wait behind the rest, and the answer is not read.
        if now_s - since_s >= SLOW_TIMEOUT_S:
            self.perform(self.session.close(codes.SLOW))
        else:
            self._due_s = since_s + SLOW_TIMEOUT_S
            self._wake()

    def _heartbeat(self, now_s: float) -> float:
        """Show the client that the connection lives, or see whether it does. Return when to do so again."""
        raise NotImplementedError

    def _expired(self) -> bool:
        identity = self.session.identity
        if identity is None or identity.expires_s is None:
            return False
        return self._worker.unix_s() >= identity.expires_s + EXPIRY_GRACE_S

    def _wake(self) -> None:
        """Be called at the next ping, or when the token ends, whichever is first."""
        if self._closing:
            return
        due_s = self._due_s
        identity = self.session.identity
        if identity is not None and identity.expires_s is not None:
            left_s = identity.expires_s + EXPIRY_GRACE_S - self._worker.unix_s()
            due_s = min(due_s, self._worker.now_s() + left_s)
        self._worker.wheel.set(self, due_s)

    def _wake_at(self, due_s: float) -> None:
        self._due_s = due_s
        self._worker.wheel.set(self, due_s)

    # The end

    def abort(self) -> None:
        """Drop the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _close(self, why: Disconnect) -> None:
        """Say goodbye and wait for the client to hang up, so that it reads the reason."""
        if self._closing:
            return
        self._say_goodbye(why)
        self._hang_up(why.code, by_client=False)

    def _say_goodbye(self, why: Disconnect) -> None:
        """Write why the connection ends."""
        raise NotImplementedError

    def _hang_up(self, code: int, *, by_client: bool) -> None:
        transport = self._transport
        if self._closing or transport is None:
            return
        self._closing = True
        self.paused = True
        self._forget()
        if by_client:
            transport.close()
            return
        self._worker.tally.disconnected[code] += 1
        if transport.can_write_eof():
            # Closing with unread bytes would reset the connection and could destroy the close frame on its way.
            transport.write_eof()
            self._worker.wheel.set(self, self._worker.now_s() + CLOSE_TIMEOUT_S)
        else:
            transport.close()
