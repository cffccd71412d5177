"""Redis Cluster: each command goes to the server that has its keys' slot; what goes to several goes at the same time.

Which server has what is asked with CLUSTER SLOTS at the first use, and again whenever a server says that it is no
longer so or does not answer. Only what did not run is sent again, elsewhere; what may have run is sent again too, for
every write of the stores may run twice. Commands on keys of one slot keep their order: they travel together, and one by
one while their slot is being migrated.

redis-py's RedisCluster would do this as well, but reads replies one by one (see `hub.store.round_trip`), and each look
of its at the slots holds up the event loop for 5-6 ms instead of 1.4 and makes it connect to every server anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hub.observe import logger
from hub.store.address import RedisAddress
from hub.store.cluster_view import LIFE, LOOK, ClusterView, fields, life_of, view_of
from hub.store.round_trip import Command, Pool
from hub.store.routes import NOBODY, Routes, slot_of
from hub.store.single import MAX_CONNECTIONS, TIMEOUT_S, open_pool

_ROUNDS = 5
"""How often commands are sent on to where they belong now."""
_LOOK_TIMEOUT_S = 2.0
_STRAGGLERS_S = 0.5
"""Who has not answered by then is not waited for, if another one has."""
_SUSPICIOUS_S = 1.0
"""A server that takes longer may have stopped for good, without a word: so we look who leads, again and again."""
_ASKED_MAX = 6
"""Servers asked at a look: the one that knows most is believed."""
_MIGRATION_TRIES = 100
_MIGRATION_WAIT_S = 0.05
_FIRST_SHARDED_VERSION = 7
_NO_SERVER = "no server has the slot"
_REDIRECTS = (MovedError, AskError, TryAgainError)
_log = logger(__name__)


class _Connections(Pool):
    """To one server. While it is silent, another one may have taken over."""

    insists = False


class ClusterServer:
    """A `hub.store.server.Server` of all masters of a cluster, with `max_connections` to each."""

    def __init__(
        self, address: RedisAddress, *, max_connections: int = MAX_CONNECTIONS, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._address = address
        self._max_connections = max_connections
        self._timeout_s = timeout_s
        self._seeds = {address.server_url(host, port): host for host, port in address.hosts}
        self._hosts = dict(self._seeds)
        self._pools: dict[str, Pool] = {}
        self._view: ClusterView | None = None
        self._sharded: bool | None = None
        self._looking: asyncio.Task[ClusterView] | None = None

    @property
    def sharded(self) -> bool | None:
        """Whether every master can do sharded pub/sub; None until `decide` has been called."""
        return self._sharded

    async def decide(self) -> bool:
        """Return `sharded`, having asked at the first call."""
        if self._sharded is None:
            urls = (await self._known()).routes.urls
            infos = await asyncio.gather(*(self._trip(url, [("INFO", "server")]) for url in urls))
            answers = [_whole(info)[0] for info in infos if not isinstance(info, _Lost)]
            if not answers:
                raise RedisConnectionError("no master of the cluster answers")
            versions = [fields(answer)["redis_version"] for answer in answers]
            self._sharded = all(int(version.partition(".")[0]) >= _FIRST_SHARDED_VERSION for version in versions)
            _log.info("redis_cluster", masters=len(urls), versions=sorted(set(versions)), sharded=self._sharded)
        return self._sharded

    # Commands

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send each command to where its key is; see `Server.exchange`."""
        replies: list[Any] = [None] * len(commands)
        left: Sequence[int] = range(len(commands))
        for _ in range(_ROUNDS):
            routes = (await self._known()).routes
            lost = await self._send(commands, left, replies, routes)
            left = [index for index in left if isinstance(replies[index], (*_REDIRECTS, _Lost))]
            if not left:
                return replies
            await self._learn([replies[index] for index in left])
            if lost is not None and self._same_owners(commands, left, replies, routes):
                raise lost
            left = await self._through_migration(commands, left, replies)
        for reply in replies:
            if isinstance(reply, _Lost):
                raise reply.error
        return replies

    async def _send(
        self, commands: Sequence[Command], indexes: Sequence[int], replies: list[Any], routes: Routes
    ) -> Exception | None:
        """Fill in the replies; those from a server that does not answer stay _Lost, and why is returned."""
        places = _places(commands, indexes, routes)
        for index in places.pop(NOBODY, ()):
            replies[index] = ClusterDownError(_NO_SERVER, status_code="CLUSTERDOWN")
        trips = [
            self._trip(routes.urls[owner], [commands[index] for index in group]) for owner, group in places.items()
        ]
        # A task for each is needed only where there are several.
        outcomes = await asyncio.gather(*trips) if len(trips) > 1 else [await trip for trip in trips]
        failure: Exception | None = None
        for group, outcome in zip(places.values(), outcomes, strict=True):
            if isinstance(outcome, _Lost):
                failure = outcome.error
            found = [outcome] * len(group) if isinstance(outcome, _Lost) else outcome
            for index, reply in zip(group, found, strict=True):
                replies[index] = reply
        return failure

    async def _trip(self, url: str, commands: Sequence[Command]) -> list[Any] | _Lost:
        patience = _Patience(lambda: self._still_leads(url))
        try:
            async with patience.limit:
                return await self._pool(url).exchange(commands)
        except TimeoutError:
            return _Lost(RedisTimeoutError("another server has taken over"))
        except (RedisConnectionError, RedisTimeoutError) as error:
            return _Lost(error)
        finally:
            patience.end()

    def _still_leads(self, url: str) -> bool:
        """Say whether a server that makes somebody wait has not been replaced as far as we know, and look again."""
        if self._view is not None and url not in self._view.routes.urls:
            return False
        self._begin_look()
        return True

    def _same_owners(
        self, commands: Sequence[Command], indexes: Iterable[int], replies: Sequence[Any], before: Routes
    ) -> bool:
        """Say whether commands that were lost would go to the same silent server again."""
        now = self._view.routes if self._view is not None else before
        lost = [_key(commands[index]) for index in indexes if isinstance(replies[index], _Lost)]
        return any(now.url_of(key) in {None, before.url_of(key)} for key in lost)

    async def _through_migration(
        self, commands: Sequence[Command], indexes: Sequence[int], replies: list[Any]
    ) -> list[int]:
        """Carry out the commands on slots that are being migrated; return those that are left."""
        slots = defaultdict(list)
        for index in indexes:
            slots[slot_of(_key(commands[index]))].append(index)
        migrating = [group for group in slots.values() if any(_of_migration(replies[i]) for i in group)]
        await asyncio.gather(*(self._one_by_one(commands, group, replies) for group in migrating))
        done = set(chain.from_iterable(migrating))
        return [index for index in indexes if index not in done]

    async def _one_by_one(self, commands: Sequence[Command], group: Sequence[int], replies: list[Any]) -> None:
        """Carry out the commands of one slot in their order: of a slot in motion one may be refused, the next not."""
        for index in group:
            for _ in range(_MIGRATION_TRIES):
                replies[index] = await self._ask_around(commands[index])
                if not isinstance(replies[index], _REDIRECTS):
                    break
                await self._learn([replies[index]])
                await asyncio.sleep(_MIGRATION_WAIT_S)

    async def _ask_around(self, command: Command) -> Any:
        """Return the reply of the slot's owner or, where that says so, of the server which is about to be it."""
        url = (await self._known()).routes.url_of(_key(command))
        if url is None:
            return ClusterDownError(_NO_SERVER, status_code="CLUSTERDOWN")
        (reply,) = await self._pool(url).exchange([command])
        if type(reply) is AskError:
            target = self._address.server_url(reply.host or self._hosts[url], reply.port)
            _, reply = await self._pool(target).exchange([("ASKING",), command])
        return reply

    async def publish(self, channel: str, message: bytes) -> None:
        """Publish a message, sharded if the scripts do so."""
        verb = "SPUBLISH" if await self.decide() else "PUBLISH"
        _whole(await self.exchange([(verb, channel, message)]))

    # The cluster

    async def routes(self) -> Routes:
        """Return where to listen: at every master, or where pub/sub is not sharded, at any one of them."""
        sharded = await self.decide()
        routes = (await self._look()).routes
        return routes if sharded else Routes(routes.urls[:1])

    async def generation(self) -> str:
        """Return the run ids of all masters, once all of them know of the same epoch and claim to be masters.

        A master that was away may have been replaced and not know it: the others do.
        """
        problem: Exception = RedisConnectionError("the cluster's servers do not agree yet on who leads")
        for _ in range(2):
            view = await self._known()
            lives = await asyncio.gather(*(self._trip(url, LIFE) for url in view.routes.urls))
            lost = [life.error for life in lives if isinstance(life, _Lost)]
            masters = [life_of(_whole(life)) for life in lives if not isinstance(life, _Lost)]
            if not lost and all(life.is_master and life.epoch == view.epoch for life in masters):
                return ",".join(sorted(life.run_id for life in masters))
            problem = lost[0] if lost else problem
            await self._look()
        raise problem

    async def demoted(self) -> None:
        """Look again who leads."""
        with contextlib.suppress(RedisConnectionError, RedisTimeoutError):
            await self._look()

    async def _learn(self, replies: Sequence[Any]) -> None:
        """Look again, and believe a server that says where a slot is more than those that have not heard of it."""
        if any(isinstance(reply, (MovedError, _Lost)) for reply in replies):
            with contextlib.suppress(RedisConnectionError, RedisTimeoutError):
                await self._look()
        moved = {reply.slot_id: reply for reply in replies if isinstance(reply, MovedError) and reply.host}
        if self._view is None or not moved:
            return
        routes = self._view.routes
        urls, owners = [*routes.urls], [*(routes.owners or ())]
        for slot, reply in moved.items():
            url = self._address.server_url(reply.host, reply.port)
            self._hosts[url] = reply.host
            if url not in urls:
                urls.append(url)
            owners[slot] = urls.index(url)
        self._view = ClusterView(self._view.epoch, Routes(tuple(urls), tuple(owners)))

    async def _known(self) -> ClusterView:
        return self._view or await self._look()

    async def _look(self) -> ClusterView:
        """Ask some servers who has what; who asks meanwhile gets the same answer. Raises RedisConnectionError."""
        return await asyncio.shield(self._begin_look())

    def _begin_look(self) -> asyncio.Task[ClusterView]:
        if self._looking is None:
            self._looking = asyncio.create_task(self._ask_servers(), name="redis-cluster-look")
            self._looking.add_done_callback(self._looked)
        return self._looking

    def _looked(self, task: asyncio.Task[ClusterView]) -> None:
        self._looking = None
        if not task.cancelled():
            # Who waited may have given up: then nobody wants to know.
            task.exception()

    async def _ask_servers(self) -> ClusterView:
        known = [*self._view.routes.urls] if self._view is not None else []
        urls = random.sample(known, min(len(known), _ASKED_MAX))
        urls += [url for url in self._seeds if url not in urls][: _ASKED_MAX if not known else 1]
        asked = [asyncio.create_task(self._view_from(url)) for url in urls]
        done, pending = await asyncio.wait(asked, timeout=_STRAGGLERS_S)
        if pending and all(task.exception() for task in done):
            done, pending = await asyncio.wait(asked, timeout=_LOOK_TIMEOUT_S - _STRAGGLERS_S)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        views = [task.result() for task in done if task.exception() is None]
        if not views:
            reasons = {str(task.exception()) for task in done} or {"none answers in time"}
            raise RedisConnectionError(f"no server of the cluster can be asked: {'; '.join(sorted(reasons))}")
        view = max(views, key=lambda view: (view.epoch, view.covered))
        if view != self._view:
            await self._adopt(view)
        return view

    async def _view_from(self, url: str) -> ClusterView:
        replies = _whole(await self._pool(url).exchange(LOOK))
        view = view_of(replies, asked=self._hosts[url], url_of=self._remembered)
        if not view.routes.urls:
            raise RedisConnectionError("the server has no cluster: set it up, or write redis:// for a single one")
        return view

    def _remembered(self, host: str, port: int) -> str:
        url = self._address.server_url(host, port)
        self._hosts[url] = host
        return url

    async def _adopt(self, view: ClusterView) -> None:
        self._view = view
        for url in self._pools.keys() - view.routes.urls:
            # Whoever still waits for this server asks elsewhere.
            await self._pools.pop(url).give_up()

    def _pool(self, url: str) -> Pool:
        pool = self._pools.get(url)
        if pool is None:
            pool = self._pools[url] = open_pool(
                url, max_connections=self._max_connections, timeout_s=self._timeout_s, pool=_Connections
            )
        return pool

    async def aclose(self) -> None:
        """Close all connections."""
        if self._looking is not None:
            self._looking.cancel()
        for pool in self._pools.values():
            await pool.aclose()


class _Patience:
    """How long a wait may take: as long as it makes sense, asked every second once it has become long."""

    __slots__ = ("_makes_sense", "_next", "limit")

    def __init__(self, makes_sense: Callable[[], bool]) -> None:
        self._makes_sense = makes_sense
        self.limit = asyncio.timeout(None)
        self._next = asyncio.get_running_loop().call_later(_SUSPICIOUS_S, self._ask)

    def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        if self._makes_sense():
            self._next = loop.call_later(_SUSPICIOUS_S, self._ask)
        else:
            self.limit.reschedule(loop.time())

    def end(self) -> None:
        self._next.cancel()


class _Lost(RedisError):
    """Stands for the replies of a server that did not answer."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _of_migration(reply: Any) -> bool:
    return type(reply) is AskError or isinstance(reply, TryAgainError)


def _key(command: Command) -> bytes:
    """Return a command's first key: all its keys share a slot."""
    key = command[3] if command[0] in {"EVALSHA", "EVAL"} else command[1]
    return key if isinstance(key, bytes) else str(key).encode()


def _places(commands: Sequence[Command], indexes: Iterable[int], routes: Routes) -> dict[int, list[int]]:
    """Return the indexes of the commands by the owner of their slot."""
    owners = routes.owners or ()
    places: dict[int, list[int]] = defaultdict(list)
    for index in indexes:
        places[owners[slot_of(_key(commands[index]))]].append(index)
    return places


def _whole(replies: Sequence[Any]) -> Sequence[Any]:
    """Return replies of which none is an error, or raise the first that is."""
    for reply in replies:
        if isinstance(reply, RedisError):
            raise reply
    return replies
