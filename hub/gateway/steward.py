"""Carries out directives on the connections of this worker.

Directives are heard by pub/sub at once. Their offsets show what was not heard, because the worker was cut off from
Redis or a message was lost; that is read from the log. A worker begins where the log ends: what was said before it had
connections does not concern it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, assert_never

from hub.domain.directives import Directive, DisconnectUser, RefreshUser, SubscribeUser, UnsubscribeUser, Whose
from hub.domain.errors import StoreUnavailable
from hub.domain.topics import Position
from hub.gateway.people import People
from hub.gateway.ports import DirectiveLog, Stored
from hub.observe import GAPS, logger
from hub.protocol import codes
from hub.protocol.codes import Disconnect
from hub.store.directives import Unreadable, read

if TYPE_CHECKING:
    from hub.gateway.connection import Connection

_PAGE = 500
_RETRY_S = 0.5
_FIRST_RETRY_S = 0.1
_TIMEOUT_S = 10.0
_log = logger(__name__)


class Steward:
    """Listens to the log of directives, and does what it says. `run` does the work."""

    def __init__(
        self,
        log: DirectiveLog,
        people: People,
        *,
        listen: Callable[[], Awaitable[None]],
        check_interval_s: float,
    ) -> None:
        """Take `listen`, which has messages of the log handed to `hear`, and raises StoreUnavailable if it cannot yet.

        Every `check_interval_s` the log is looked at for what was never heard of.
        """
        self._directives = log
        self._people = people
        self._listen = listen
        self._check_interval_s = check_interval_s
        self._at: Position | None = None
        self._wanted = asyncio.Event()
        self.listening = False
        """Whether directives are heard."""

    def hear(self, message: bytes) -> None:
        """Take one pub/sub message: `<epoch>:<offset>:<origin_ms>:<directive>`."""
        at = self._at
        if at is None:
            return
        try:
            epoch, offset_text, _, data = message.split(b":", 3)
            offset = int(offset_text)
        except ValueError:
            _log.warning("directive_message_malformed")
            return
        if epoch.decode() == at.epoch and offset == at.offset + 1:
            self._take(offset, data)
        elif epoch.decode() != at.epoch or offset > at.offset:
            self._wanted.set()

    def gap(self) -> None:
        """Messages may have been missed: look at the log now."""
        self._wanted.set()

    async def run(self) -> None:
        """Work until cancelled."""
        await self._begin()
        while True:
            try:
                async with asyncio.timeout(self._check_interval_s):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    await self.catch_up()
            except (StoreUnavailable, TimeoutError) as error:
                _log.warning("directives_delayed", error=str(error))
                self._wanted.set()
                await asyncio.sleep(_RETRY_S)

    async def _begin(self) -> None:
        """Note where the log ends, before anybody can be connected; listen; and look for what was said in between."""
        while not self.listening:
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    if self._at is None:
                        self._at = await self._directives.end()
                    await self._listen()
                self.listening = True
            except (StoreUnavailable, TimeoutError):
                await asyncio.sleep(_FIRST_RETRY_S)
        self._wanted.set()

    async def catch_up(self) -> None:
        """Carry out everything that was not heard. Raises StoreUnavailable; call it again then."""
        while (at := self._at) is not None:
            page = await self._directives.since(at.offset, limit=_PAGE)
            end = page.position
            if end.epoch != at.epoch:
                # Redis has lost the log, and it began anew: all that it has now is new.
                self._lost(at, end)
                self._at = Position(end.epoch, 0)
                continue
            if not page.complete:
                self._lost(at, end)
            heard = self._take_missed(page.publications)
            if len(page.publications) < _PAGE:
                # Also where Redis was rolled back: its offsets will be given again.
                self._at = Position(end.epoch, max(end.offset, heard) if page.complete else end.offset)
                return

    def _take_missed(self, missed: Iterable[Stored]) -> int:
        """Carry out what was not heard while the page was on its way; return how far that leads."""
        heard = self._at.offset if self._at is not None else 0
        for stored in missed:
            if stored.offset > heard:
                GAPS.labels("directives").inc()
                self._take(stored.offset, stored.data)
                heard = stored.offset
        return heard

    def _lost(self, at: Position, end: Position) -> None:
        _log.error("directives_lost", known=at.offset, end=end.offset, begun_anew=at.epoch != end.epoch)

    def _take(self, offset: int, data: bytes) -> None:
        if self._at is not None:
            self._at = Position(self._at.epoch, offset)
        directive = read(data)
        if isinstance(directive, Unreadable):
            _log.error("directive_unreadable", problem=directive.problem)
            return
        for connection in self._of(directive.whose):
            try:
                _carry_out(directive, connection)
            except Exception:  # noqa: BLE001 - see below
                # A defect must neither keep it from the others nor end the connection to Redis.
                _log.exception("directive_failed", directive=type(directive).__name__)

    def _of(self, whose: Whose) -> list[Connection]:
        connections = self._people.of(whose.user)
        if not whose.client:
            return connections
        return [connection for connection in connections if connection.session.client == whose.client]


def _carry_out(directive: Directive, connection: Connection) -> None:
    session = connection.session
    match directive:
        case DisconnectUser(_, code, reason, spared):
            if session.client not in spared:
                connection.perform(session.close(Disconnect(code, reason)))
        case SubscribeUser(_, topic, since):
            connection.subscribe(topic, since)
        case UnsubscribeUser(_, topic):
            connection.perform(session.revoked(topic, codes.UNSUBSCRIBED_BY_SERVER))
        case RefreshUser(_, expires_s):
            connection.expire_at(expires_s)
        case _:
            assert_never(directive)
