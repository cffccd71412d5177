"""What all connections of a worker share."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from websockets.protocol import OPEN, SERVER
from websockets.protocol import Protocol as Parser

from hub.domain.ids import EffectId
from hub.gateway.addresses import Addresses
from hub.gateway.arrivals import Arrivals
from hub.gateway.clock import MACHINE_CLOCK, Clock
from hub.gateway.directory import Directory
from hub.gateway.people import People
from hub.gateway.ports import Access, Operations, Presence, Topics
from hub.gateway.publisher import Publisher
from hub.gateway.recovery import Recovery
from hub.gateway.roll_call import RollCall
from hub.gateway.subscriptions import GrantedSubscription, Subscription
from hub.gateway.tally import Tally
from hub.gateway.wheel import Wheel
from hub.observe import logger
from hub.protocol.session import Limits
from hub.settings import Gateway as Settings

if TYPE_CHECKING:
    from hub.gateway.connection import Connection

EXPIRY_GRACE_S = 2.0
"""For a refresh that is on its way when a token ends."""
_log = logger(__name__)


class Parsers:
    """WebSocket frame parsers (`websockets`, Sans-I/O).

    A parser between two messages of an open connection has no state worth keeping. So the idle connections of a worker
    share one, and only who sends half a message gets one of its own: 3 KB less for every other connection.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self._max_bytes = max_message_bytes
        self._log = logging.getLogger("hub.websocket")
        self._log.setLevel(logging.CRITICAL)
        self._shared = self.new()

    def new(self) -> Parser:
        """Return a parser of an open connection."""
        return Parser(SERVER, max_size=self._max_bytes, logger=self._log)

    def shared(self) -> Parser:
        """Return the one that stands between two messages. Give it whole messages only."""
        if self._shared.state is not OPEN:
            # The last connection that used it broke the protocol, or said goodbye.
            self._shared = self.new()
        return self._shared


class Worker:
    """The services and settings of one worker's connections, and the set of them."""

    def __init__(
        self,
        settings: Settings,
        *,
        limits: Limits,
        access: Access,
        operations: Operations,
        topics: Topics,
        directory: Directory,
        arrivals: Arrivals,
        recovery: Recovery,
        presence: Presence,
        roll_call: RollCall,
        publisher: Publisher,
        tally: Tally,
        wheel: Wheel,
        clock: Clock = MACHINE_CLOCK,
    ) -> None:
        self.settings = settings
        self.limits = limits
        self.access = access
        self.operations = operations
        self.topics = topics
        self.directory = directory
        self.arrivals = arrivals
        self.recovery = recovery
        self.presence = presence
        self.roll_call = roll_call
        self.publisher = publisher
        self.tally = tally
        self.wheel = wheel
        self.now_s = clock.now_s
        self.unix_s = clock.unix_s
        self.parsers = Parsers(settings.max_message_bytes)
        self.addresses = Addresses(limit=settings.max_connections_per_address, trusted=settings.trusted_proxies)
        self.connections: set[Connection] = set()
        self.people = People()
        self.streams = 0
        """How many of the connections are event streams."""
        self.subscriptions = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.name = secrets.token_hex(5)
        self._clients = itertools.count(1)
        self._publications = itertools.count(1)

    def client_id(self) -> str:
        """Return a name for a new connection, unique among all workers."""
        return f"{self.name}-{next(self._clients):x}"

    def publication_id(self) -> EffectId:
        """Return an id for a client's publication, unique among all workers."""
        return EffectId(f"{self.name}.{next(self._publications):x}")

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something for a connection. Connections bound how much of it there is; failures are logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("connection_task_failed", exc_info=error)

    def enter(self, seat: Subscription) -> None:
        """Take note of a subscription that has been made."""
        self.subscriptions += 1
        if seat.topic.options.attended:
            self.roll_call.came(seat)
        if isinstance(seat, GrantedSubscription):
            self.await_end(seat)

    def await_end(self, seat: GrantedSubscription) -> None:
        """Have a subscription's receiver called when its time comes, if it has one."""
        if seat.expires_s is None:
            self.wheel.clear(seat)
        else:
            self.wheel.set(seat, self.now_s() + seat.expires_s + EXPIRY_GRACE_S - self.unix_s())

    def leave(self, seat: object) -> None:
        """Take a subscription out of its topic, if it is still there, and forget it."""
        if not isinstance(seat, Subscription):
            return
        self.subscriptions -= 1
        topic = seat.topic
        topic.remove(seat)
        if topic.options.attended:
            self.roll_call.left(seat)
        if isinstance(seat, GrantedSubscription):
            self.wheel.clear(seat)
        self.directory.released(topic)

    async def stop(self) -> None:
        """Cancel what still runs for connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
