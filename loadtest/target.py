"""What the swarm is let loose on: an installation of our own, or any server of the same protocol by its URL."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psutil

from hub.config import load
from hub.service.identity.api_keys import make_api_key
from loadtest.plan import Plan
from loadtest.publishers import Publisher, api_publisher, store_publisher
from loadtest.stack import Cost, Stack, cost_of, running_stack
from loadtest.swarm.control import Setup

SERVER = "serve"
"""Names of processes that hold the connections begin with it."""
_NAMESPACES = (
    {
        "name": "courier",
        "kind": "latest",
        "history_size": 1,
        "history_ttl_s": 3_600,
        "allow_subscribe_for_client": True,
    },
    {
        "name": "room",
        "kind": "log",
        "history_size": 100,
        "history_ttl_s": 3_600,
        "allow_subscribe_for_client": True,
        "allow_publish_for_subscriber": True,
    },
)


@dataclass(slots=True)
class Target:
    """A server under load. `costs` has what can be seen of its processes: nothing of a server elsewhere."""

    name: str
    setup: Setup
    hub: Publisher
    """Publishes on inboxes and announcements, as the hub's other roles do."""
    api: Publisher
    """Publishes on topics of the backend, over HTTP."""
    inbox: str = "inbox:{}"
    """The topic of one person, by user."""
    announcements: str = "announcements"
    processes: dict[str, psutil.Process] = field(default_factory=dict)

    def costs(self) -> dict[str, Cost]:
        """Return what each process has used so far."""
        costs = {}
        for name, process in self.processes.items():
            with suppress(psutil.NoSuchProcess):
                costs[name] = cost_of(process)
        return costs


@dataclass(slots=True)
class OwnTarget(Target):
    """An installation that was started for the run: it may be killed, drained and fed through Kafka."""

    stack: Stack = field(kw_only=True)
    plan: Plan = field(kw_only=True)
    _generation: itertools.count[int] = field(default_factory=lambda: itertools.count(2))
    _serving: str = SERVER

    def costs(self) -> dict[str, Cost]:
        """Return what each process has used so far."""
        return self.stack.costs_of_each()

    def workers(self) -> list[psutil.Process]:
        """Return the processes that hold the connections."""
        front = self.stack.processes[self._serving]
        children: list[psutil.Process] = front.children()
        return children or [front]

    async def start(self, role: str, **settings: str) -> None:
        """Start another role and wait until it is ready."""
        await asyncio.to_thread(self.stack.start, role, **settings)

    async def succeed(self) -> str:
        """Start a successor of what serves, on the same port; return the name of the predecessor, to be stopped."""
        old, self._serving = self._serving, f"{SERVER}-{next(self._generation)}"
        data = str(self.stack.folder / self._serving)
        await asyncio.to_thread(self.stack.start, SERVER, name=self._serving, DOORBELL_DATA_DIR=data)
        return old

    async def stop(self, name: str) -> None:
        """Ask a process to end (SIGTERM) and wait until it has."""
        await asyncio.to_thread(self.stack.stop, name)


@asynccontextmanager
async def own_target(plan: Plan, *, shards: int, kafka: bool) -> AsyncIterator[OwnTarget]:
    """Start an installation with the plan's number of workers, ready to be connected to."""
    key = make_api_key("load")
    settings = {
        "DOORBELL_API_KEYS": msgspec.json.encode([key.setting]).decode(),
        "DOORBELL_WORKERS": str(plan.workers),
        "DOORBELL_NAMESPACES": json.dumps(_NAMESPACES),
        "DOORBELL_GATEWAY__ACCEPTS_PER_SECOND": str(plan.accepts_per_s),
        "DOORBELL_GATEWAY__DRAIN_S": str(plan.drain_s),
    }
    async with AsyncExitStack() as parts:
        stack = parts.enter_context(running_stack(kafka=kafka, settings=settings))
        await asyncio.to_thread(stack.start, SERVER)
        http = "http://{}:{}/api".format(*stack.address)
        api = await parts.enter_async_context(api_publisher(http, key.key))
        ours = {name: value for name, value in stack.environment.items() if name.startswith("DOORBELL_")}
        configured = load(Path("/dev/null"), ours)
        hub = await parts.enter_async_context(store_publisher(configured, stack.redis_url))
        setup = Setup(
            shard=0, shards=shards, members=plan.clients, addresses=(stack.address,), secret=stack.token.hmac_secret
        )
        yield OwnTarget("Doorbell", setup, hub, api, stack=stack, plan=plan)


@dataclass(frozen=True, slots=True)
class Remote:
    """A server that somebody else has started: where it is, how to publish on it, and which processes it is."""

    urls: tuple[str, ...]
    """WebSocket URLs, of each node one; clients take turns."""
    hmac_secret: str
    api_url: str
    api_key: str
    pids: tuple[int, ...] = ()
    """Of the server on this machine, for its costs."""
    channels: tuple[str, ...] = ("inbox:{user}", "announcements")
    """The `channels` claim of the tokens: what the server subscribes everybody to."""


@asynccontextmanager
async def remote_target(remote: Remote, plan: Plan, *, shards: int) -> AsyncIterator[Target]:
    """Address a server by its URLs."""
    parts = [urlsplit(url) for url in remote.urls]
    setup = Setup(
        shard=0,
        shards=shards,
        members=plan.clients,
        addresses=tuple((part.hostname or "", part.port or 80) for part in parts),
        path=parts[0].path or "/connection/websocket",
        secret=remote.hmac_secret,
        channels=remote.channels,
    )
    async with api_publisher(remote.api_url, remote.api_key) as api:
        yield Target(parts[0].netloc, setup, api, api, processes=_processes(remote.pids))


def _processes(pids: Sequence[int]) -> dict[str, psutil.Process]:
    return {f"{SERVER}.{number}": psutil.Process(pid) for number, pid in enumerate(pids)}
