"""The gateway of one worker: puts its parts together and runs them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Self

from aiohttp import web

from hub.domain.directives import LOG
from hub.domain.ids import Topic
from hub.domain.topics import Namespace
from hub.gateway.admission import LATE_S, Admission, connection_limit, descriptor_limit
from hub.gateway.arrivals import Arrivals
from hub.gateway.clock import MACHINE_CLOCK, Clock
from hub.gateway.connection import CLOSE_TIMEOUT_S
from hub.gateway.directory import Directory
from hub.gateway.door import Door, Reception
from hub.gateway.fanout import FanOut
from hub.gateway.handshake import Handshake, request_of
from hub.gateway.heartbeat import Heartbeat
from hub.gateway.ports import Access, Operations, Stores
from hub.gateway.positions import PositionCheck
from hub.gateway.publisher import Publisher
from hub.gateway.recovery import Recovery
from hub.gateway.roll_call import RollCall
from hub.gateway.steward import Steward
from hub.gateway.subscriptions import LiveTopic
from hub.gateway.tally import Tally
from hub.gateway.threshold import Listening, Threshold
from hub.gateway.wheel import Wheel
from hub.gateway.worker import Worker
from hub.observe import logger
from hub.protocol import codes
from hub.protocol.session import Limits
from hub.settings import Gateway as Settings
from hub.store.pubsub import PubSub
from hub.store.workers import WorkerFacts

_DRAIN_STEP_S = 0.1
_DRAIN_SLICE = 100
"""Connections closed before others get their turn: some ten milliseconds."""
_HANG_UP_S = CLOSE_TIMEOUT_S + 1.0
"""How long the last may take to hang up. Who does not is cut by then."""
_LAST_NEWCOMERS_S = 1.0
"""How long those before the door are waited for when it closes."""
_FLUSH_S = 1.0
_LISTEN_TIMEOUT_S = 5.0
_log = logger(__name__)


class Gateway:
    """Serves the WebSocket connections of one worker, and hands on what is not for it.

    Use it as `async with`, inside a running loop; listen with `loop.create_server(gateway.protocol_factory, …)`.
    Redis need not be there at the start: until it is, clients are told to come again.
    """

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        *,
        access: Access,
        operations: Operations,
        http: Callable[[], asyncio.Protocol],
        http_connections: Callable[[], int] = lambda: 0,
        clock: Clock = MACHINE_CLOCK,
        late_from_s: float = LATE_S,
        version: str = "",
    ) -> None:
        """Take `http`, which makes the protocol of each connection that is not for the gateway.

        `http_connections` says how many of them are open. From `late_from_s` on, a late worker lets nobody in.
        """
        self._version = version
        self._started_ms = time.time_ns() // 1_000_000
        self._http, self._http_connections = http, http_connections
        self._keys, topics, tally = stores.keys, stores.topics, Tally()
        self._probe = _Probe(secrets.token_hex(5))
        self._pubsub: PubSub[LiveTopic] = PubSub(stores.server, on_message=self._on_message, on_gap=self._on_gap)
        self._directory = Directory(self._pubsub, stores.namespaces, channel_of=self._keys.topic_channel)
        self._recovery = Recovery(topics, tally)
        self._fan_out = FanOut(self._recovery, tally, call_soon=asyncio.get_running_loop().call_soon)
        self._arrivals = Arrivals(self._directory, topics, self._recovery)
        self._roll_call = RollCall(stores.presence, interval_s=settings.presence_ttl_s / 3)
        self._publisher = Publisher(topics)
        self._check = PositionCheck(
            self._directory, topics, self._recovery, tally, interval_s=settings.position_check_s
        )
        self._worker = Worker(
            settings,
            limits=_limits(settings, version),
            access=access,
            operations=operations,
            topics=topics,
            directory=self._directory,
            arrivals=self._arrivals,
            recovery=self._recovery,
            presence=stores.presence,
            roll_call=self._roll_call,
            publisher=self._publisher,
            tally=tally,
            wheel=Wheel(now_s=clock.now_s()),
            clock=clock,
        )
        self._admission = _admission(settings, now_s=clock.now_s(), late_from_s=late_from_s)
        self._directives, self._directives_topic = stores.directives, LiveTopic(LOG, Namespace(LOG))
        self._steward = Steward(
            stores.directives,
            self._worker.people,
            listen=self._listen_to_directives,
            check_interval_s=settings.position_check_s,
        )
        self._heartbeat = Heartbeat(stores.workers, self._facts)
        self._reception = Reception(self._worker, Handshake(settings.allowed_origins), self._admission)
        self._threshold = Threshold()
        self._parts: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._pubsub.__aenter__()
        self._parts = asyncio.create_task(self._run(), name="gateway")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in [*self._worker.connections]:
            connection.abort()
        await self._worker.stop()
        if self._parts is not None:
            self._parts.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._parts
        await self._roll_call.close()
        await self._pubsub.__aexit__(exc_type, exc, trace)
        self._flush()

    async def _run(self) -> None:
        parts = (self._recovery, self._arrivals, self._check, self._roll_call, self._publisher)
        async with asyncio.TaskGroup() as group:
            for part in (*parts, self._steward, self._heartbeat):
                group.create_task(part.run())
            group.create_task(self._tick())

    async def failed(self) -> None:
        """Wait until a part of the gateway fails, which only a defect can cause, and raise its error."""
        if self._parts is not None:
            await asyncio.shield(self._parts)

    async def _tick(self) -> None:
        worker = self._worker
        flush_s = worker.now_s()
        now_s = flush_s
        while True:
            due_s = now_s + worker.wheel.tick_s
            await asyncio.sleep(worker.wheel.tick_s)
            now_s = worker.now_s()
            self._admission.late_s = now_s - due_s
            self._admission.look(queued=self._threshold.queued(), now_s=now_s)
            if now_s - due_s > LATE_S:
                # Nobody is silent because we did not listen: what clients have sent meanwhile is read first.
                await asyncio.sleep(0)
            worker.wheel.advance(now_s)
            if now_s - flush_s >= _FLUSH_S:
                flush_s = now_s
                self._admission.elsewhere = self._http_connections()
                self._directory.sweep(now_s)
                self._flush()

    def _flush(self) -> None:
        worker = self._worker
        sockets = len(worker.connections) - worker.streams
        worker.tally.flush(sockets=sockets, streams=worker.streams, subscriptions=worker.subscriptions)

    def _on_message(self, topic: LiveTopic, message: bytes) -> None:
        if topic is self._probe.topic:
            self._probe.heard(message)
        elif topic is self._directives_topic:
            self._steward.hear(message)
        else:
            self._fan_out.receive(topic, message)

    def _on_gap(self) -> None:
        self._check.gap()
        self._steward.gap()

    async def _listen_to_directives(self) -> None:
        await self._pubsub.wait_connected(_LISTEN_TIMEOUT_S)
        await self._pubsub.subscribe({self._directives.channel.encode(): self._directives_topic})

    def _facts(self) -> WorkerFacts:
        worker = self._worker
        return WorkerFacts(
            uid=worker.name,
            name=f"{socket.gethostname()}-{os.getpid()}",
            version=self._version,
            started_ms=self._started_ms,
            clients=len(worker.connections),
            users=len(worker.people),
            topics=len(self._directory),
            subscriptions=worker.subscriptions,
        )

    # The way in

    def watch(self, sockets: Sequence[Listening]) -> None:
        """Take the sockets that listen for this gateway, until `close_door`: where many wait there, it is busy."""
        self._threshold = Threshold(sockets)

    def protocol_factory(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return Door(self._reception, self._http)

    async def upgrade_from_http(self, request: web.Request) -> web.StreamResponse:
        """Handle the gateway's path inside of the HTTP server: an upgrade on a connection that has been kept alive."""
        transport = request.transport
        if transport is None:
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        asked = request_of(request.method, request.path_qs, request.raw_headers)
        return _taken_over(request, self._reception.receive(asked, transport))

    async def stream_from_http(self, request: web.Request) -> web.StreamResponse:
        """Handle a request for an event stream inside of the HTTP server, on a connection that has been kept alive."""
        settings = self._worker.settings
        body = b""
        try:
            async with asyncio.timeout(settings.handshake_timeout_s):
                async for part in request.content.iter_any():
                    body += part
                    if len(body) > settings.max_message_bytes:
                        return web.Response(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except TimeoutError:
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT)
        transport = request.transport
        if transport is None:
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        asked = request_of(request.method, request.path_qs, request.raw_headers)
        return _taken_over(request, self._reception.receive_stream(asked, body, transport))

    # The state

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._worker.connections)

    @property
    def ready(self) -> bool:
        """Whether publications arrive from Redis, as far as is known. `probe` proves it."""
        return self._pubsub.connected

    async def probe(self, publish: Callable[[str, bytes], Awaitable[object]], *, timeout_s: float = 2.0) -> bool:
        """Prove that a message gets from Redis to this worker: publish one with `publish(channel, message)`.

        Return whether it came back in time. Raises StoreUnavailable.
        """
        channel = self._keys.probe_channel(self._probe.name)
        await self._pubsub.subscribe({channel.encode(): self._probe.topic})
        message = secrets.token_bytes(8).hex().encode()
        waiting = self._probe.expect(message)
        try:
            async with asyncio.timeout(timeout_s):
                await publish(channel, message)
                await waiting
        except TimeoutError:
            return False
        return True

    async def close_door(self) -> None:
        """Let nobody in any more, and wait until nobody stands before the door: then the sockets can be closed.

        Closing them sooner would cut those who stand there; they are told to come again.
        """
        self._admission.closed = True
        now_s = self._worker.now_s
        until_s = now_s() + _LAST_NEWCOMERS_S
        while self._threshold.queued() and now_s() < until_s:  # noqa: ASYNC110 - the kernel does not tell
            await asyncio.sleep(0)
        self._threshold = Threshold()

    async def drain(self) -> None:
        """Let nobody in any more and close all connections, evenly over `drain_s`, so that they come back spread.

        Returns when all have hung up, a few seconds after `drain_s` at the latest.
        """
        self._admission.closed = True
        worker = self._worker
        left = [*worker.connections]
        _log.info("gateway_draining", connections=len(left))
        began_s, drain_s, closed = worker.now_s(), worker.settings.drain_s, 0
        while closed < len(left):
            # By the clock: a worker that gets little of the machine closes more in each step, and not for longer.
            past_s = worker.now_s() - began_s + _DRAIN_STEP_S
            until = math.ceil(len(left) * min(1.0, past_s / drain_s)) if drain_s else len(left)
            for at in range(closed, until, _DRAIN_SLICE):
                for connection in left[at : min(until, at + _DRAIN_SLICE)]:
                    connection.perform(connection.session.close(codes.SHUTDOWN))
                await asyncio.sleep(0)
            closed = until
            await asyncio.sleep(_DRAIN_STEP_S)
        gone_s = worker.now_s() + _HANG_UP_S
        while worker.connections and worker.now_s() < gone_s:  # noqa: ASYNC110 - the last may hang up at any time
            await asyncio.sleep(_DRAIN_STEP_S)


def _limits(settings: Settings, version: str) -> Limits:
    """Return what a session is held to."""
    return Limits(
        version=f"doorbell {version}".strip(),
        ping_s=max(1, round(settings.ping_interval_s)),
        max_subscriptions=settings.max_subscriptions,
        max_commands_per_second=settings.max_commands_per_second,
    )


def _admission(settings: Settings, *, now_s: float, late_from_s: float) -> Admission:
    """Return what decides who is let in: the settings, within the descriptors of this process."""
    descriptors = descriptor_limit()
    return Admission(
        per_second=settings.accepts_per_second,
        max_connections=connection_limit(settings.max_connections, descriptors),
        descriptors=descriptors,
        now_s=now_s,
        late_from_s=late_from_s,
    )


class _Probe:
    """The messages that a worker sends itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.topic = LiveTopic(Topic(f"probe:{name}"), Namespace("probe", history_size=0))
        self._expected: dict[bytes, asyncio.Future[None]] = {}

    def expect(self, message: bytes) -> asyncio.Future[None]:
        """Return what is done when the message arrives."""
        waiting = asyncio.get_running_loop().create_future()
        self._expected[message] = waiting
        waiting.add_done_callback(lambda _: self._expected.pop(message, None))
        return waiting

    def heard(self, message: bytes) -> None:
        """Take a message that has arrived."""
        waiting = self._expected.get(message)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


def _taken_over(request: web.Request, outcome: asyncio.Protocol | bytes) -> web.Response:
    """Return what the HTTP server has to say: a refusal, or nothing any more."""
    if isinstance(outcome, bytes):
        return _refused(outcome)
    # The transport is no longer the HTTP server's: without it, that only forgets the connection.
    handler = request.protocol
    handler.transport = None
    handler.connection_lost(None)
    return web.Response()


def _refused(response: bytes) -> web.Response:
    """Return a refusal as a response of the HTTP server."""
    head, _, body = response.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    for name in ("Content-Length", "Connection", "Date"):
        headers.pop(name, None)
    refused = web.Response(status=int(status_line.split(" ")[1]), body=body, headers=headers)
    refused.force_close()
    return refused
