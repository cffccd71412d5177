"""The commands that must ask somebody else: each a short task with a time limit that reports to its session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, assert_never

from msgspec import Raw

from hub.domain.decisions import Publication
from hub.domain.errors import StoreUnavailable
from hub.domain.permission import Action
from hub.domain.topics import DataFormat, Namespace, Position
from hub.gateway.arrivals import publication_of
from hub.gateway.client import Client
from hub.gateway.joining import join
from hub.gateway.permits import identity_of, options_of, permit
from hub.gateway.ports import Page
from hub.gateway.subscriptions import Subscription, seen_of
from hub.gateway.worker import Worker
from hub.observe import logger
from hub.protocol import codes, wire
from hub.protocol.client_info import decode_info, encode_info
from hub.protocol.codes import CommandError
from hub.protocol.effects import Call, Join, Publish, ReadHistory, ReadPresence

_READ_TIMEOUT_S = 10.0
_CALL_TIMEOUT_S = 15.0
_PUBLISH_TIMEOUT_S = 15.0
_MAX_MEMBERS = 1_000
"""Clients that one reply tells of."""
_DEDUPE_S = 60
"""For as long as a publication may be on its way: clients give theirs no id, so nothing else can be told twice."""
_log = logger(__name__)


def work_of(
    client: Client, worker: Worker, wish: Join | Publish | ReadHistory | ReadPresence | Call
) -> Coroutine[Any, Any, None]:
    """Return the task that carries out what a client wishes."""
    match wish:
        case Join():
            return join(client, worker, wish)
        case Publish():
            return _answer(client, wish.id, _publish(client, worker, wish))
        case ReadHistory():
            return _answer(client, wish.id, _history(client, worker, wish))
        case ReadPresence():
            return _answer(client, wish.id, _presence(client, worker, wish))
        case Call():
            return _answer(client, wish.id, _call(client, worker, wish))
        case _:
            assert_never(wish)


async def _answer(client: Client, command_id: int, work: Coroutine[Any, Any, wire.Reply]) -> None:
    """Report what a command comes to. Whatever goes wrong, other commands and connections go on."""
    reply: wire.Reply | CommandError
    try:
        reply = await work
    except CommandError as error:
        reply = error
    except (StoreUnavailable, TimeoutError):
        reply = codes.internal()
    except Exception:  # noqa: BLE001 - a fault in one command must not reach another connection
        _log.exception("command_failed")
        reply = codes.internal()
    client.perform(client.session.answered(reply, command_id))


async def _history(client: Client, worker: Worker, wish: ReadHistory) -> wire.Reply:
    if not options_of(worker, wish.topic).recoverable:
        raise codes.not_available()
    await permit(client, worker, Action.HISTORY, wish.topic, subscribed=wish.subscribed)
    since = None if wish.since is None else Position(wish.since.epoch, wish.since.offset)
    async with asyncio.timeout(_READ_TIMEOUT_S):
        page = await worker.topics.history(wish.topic, since=since, limit=wish.limit, reverse=wish.reverse)
    return wire.Reply(wish.id, history=_history_result(page, wish))


def _history_result(page: Page, wish: ReadHistory) -> wire.HistoryResult:
    position = page.position
    if wish.since is not None and wish.since.epoch and wish.since.epoch != position.epoch:
        raise codes.unrecoverable_position()
    publications = tuple(publication_of(stored) for stored in page.publications)
    return wire.HistoryResult(publications, position.epoch, position.offset)


async def _presence(client: Client, worker: Worker, wish: ReadPresence) -> wire.Reply:
    options = options_of(worker, wish.topic)
    if not options.presence:
        raise codes.not_available()
    await permit(client, worker, Action.PRESENCE, wish.topic, subscribed=wish.subscribed)
    async with asyncio.timeout(_READ_TIMEOUT_S):
        if wish.stats:
            stats = await worker.presence.stats(wish.topic)
            return wire.Reply(wish.id, presence_stats=wire.PresenceStatsResult(stats.clients, stats.users))
        members = await worker.presence.members(wish.topic, limit=_MAX_MEMBERS)
    infos = {member: decode_info(info) for member, info in members.items()}
    return wire.Reply(wish.id, presence=wire.PresenceResult(infos))


async def _publish(client: Client, worker: Worker, wish: Publish) -> wire.Reply:
    options = options_of(worker, wish.topic)
    _check_data(wish.data, options)
    await permit(client, worker, Action.PUBLISH, wish.topic, subscribed=wish.subscribed)
    seat = client.session.subscriptions.get(wish.topic)
    info = seen_of(seat) if isinstance(seat, Subscription) else client.seen_as(None)
    publication = Publication(
        wish.topic,
        worker.publication_id(),
        wish.data,
        origin_ms=time.time_ns() // 1_000_000,
        dedupe_s=_DEDUPE_S,
        info=encode_info(info),
    )
    async with asyncio.timeout(_PUBLISH_TIMEOUT_S):
        await worker.publisher.publish(publication)
    return wire.Reply(wish.id, publish=wire.Done())


def _check_data(data: bytes, options: Namespace) -> None:
    if len(data) > options.max_publication_bytes:
        raise codes.limit_exceeded()
    if options.publication_data_format is DataFormat.JSON_OBJECT and not data.lstrip().startswith(b"{"):
        raise codes.bad_request()


async def _call(client: Client, worker: Worker, wish: Call) -> wire.Reply:
    async with asyncio.timeout(_CALL_TIMEOUT_S):
        data = await worker.operations.rpc(identity_of(client), wish.method, wish.data)
    return wire.Reply(wish.id, rpc=wire.RpcResult(Raw(data)))
