"""The commands that must ask somebody else: each a short task with a time limit that reports to its session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from msgspec import Raw

from hub.domain.errors import StoreUnavailable
from hub.domain.ids import Topic
from hub.domain.permission import Action, Identity
from hub.domain.topics import Namespace, Position
from hub.gateway.arrivals import Ask, Asker
from hub.gateway.ports import Page
from hub.gateway.subscriptions import Subscription
from hub.gateway.worker import Worker
from hub.observe import logger
from hub.protocol import codes, wire
from hub.protocol.codes import CommandError
from hub.protocol.effects import Call, Effect, Join, ReadHistory
from hub.protocol.session import Session

_PERMISSION_TIMEOUT_S = 5.0
_HISTORY_TIMEOUT_S = 10.0
_CALL_TIMEOUT_S = 15.0
_log = logger(__name__)


class Client(Asker, Protocol):
    """The connection that a command came from."""

    session: Session[Subscription]

    def perform(self, effects: Iterable[Effect]) -> None:
        """Carry effects out."""


async def join(client: Client, worker: Worker, wish: Join) -> None:
    """Subscribe to a topic, if its namespace exists and the client may."""
    try:
        _options(worker, wish.topic)
        await _permit(client, worker, Action.SUBSCRIBE, wish)
    except CommandError as error:
        client.perform(client.session.not_joined(wish.id, wish.topic, error))
        return
    if client.session.subscriptions.get(wish.topic) == wish.id:
        ask = Ask(client, wish.id, {wish.topic: wish.since}, connect=False, reject_unrecovered=wish.reject_unrecovered)
        worker.arrivals.ask(ask)
    else:
        # Unsubscribed meanwhile: the command still wants its answer.
        client.perform(client.session.not_joined(wish.id, wish.topic, codes.not_available()))


def _options(worker: Worker, topic: Topic) -> Namespace:
    """Return the options of a topic that clients may name."""
    options = worker.directory.options(topic)
    if options is None:
        raise codes.unknown_channel()
    if not worker.directory.allows_name(topic):
        raise codes.bad_request()
    return options


async def _permit(
    client: Client, worker: Worker, action: Action, wish: Join | ReadHistory, *, subscribed: bool = False
) -> None:
    identity = _identity(client)
    try:
        async with asyncio.timeout(_PERMISSION_TIMEOUT_S):
            permitted = await worker.access.may(identity, action, wish.topic, subscribed=subscribed)
    except (StoreUnavailable, TimeoutError) as error:
        raise codes.internal() from error
    except Exception as error:
        _log.exception("permission_check_failed")
        raise codes.internal() from error
    if not permitted:
        raise codes.permission_denied()


async def read_history(client: Client, worker: Worker, wish: ReadHistory) -> None:
    """Read a page of a topic's stream."""
    reply: wire.Reply | CommandError
    try:
        if not _options(worker, wish.topic).recoverable:
            raise codes.not_available()
        await _permit(client, worker, Action.HISTORY, wish, subscribed=wish.subscribed)
        reply = wire.Reply(wish.id, history=_result(await _page(worker, wish), wish))
    except CommandError as error:
        reply = error
    client.perform(client.session.answered(reply, wish.id))


async def _page(worker: Worker, wish: ReadHistory) -> Page:
    since = None if wish.since is None else Position(wish.since.epoch, wish.since.offset)
    try:
        async with asyncio.timeout(_HISTORY_TIMEOUT_S):
            return await worker.topics.history(wish.topic, since=since, limit=wish.limit, reverse=wish.reverse)
    except (StoreUnavailable, TimeoutError) as error:
        raise codes.internal() from error
    except Exception as error:
        _log.exception("history_failed")
        raise codes.internal() from error


def _result(page: Page, wish: ReadHistory) -> wire.HistoryResult:
    position = page.position
    if not position.epoch:
        raise codes.not_available()
    if wish.since is not None and wish.since.epoch and wish.since.epoch != position.epoch:
        raise codes.unrecoverable_position()
    publications = tuple(wire.Publication(Raw(stored.data), stored.offset) for stored in page.publications)
    return wire.HistoryResult(publications, position.epoch, position.offset)


async def call(client: Client, worker: Worker, wish: Call) -> None:
    """Call an operation."""
    reply: wire.Reply | CommandError
    try:
        async with asyncio.timeout(_CALL_TIMEOUT_S):
            data = await worker.operations.rpc(_identity(client), wish.method, wish.data)
        reply = wire.Reply(wish.id, rpc=wire.RpcResult(Raw(data)))
    except CommandError as error:
        reply = error
    except (StoreUnavailable, TimeoutError):
        reply = codes.internal()
    except Exception:  # noqa: BLE001 - a fault of one operation must not reach another connection
        _log.exception("operation_failed", operation=wish.method)
        reply = codes.internal()
    client.perform(client.session.answered(reply, wish.id))


def _identity(client: Client) -> Identity:
    identity = client.session.identity
    if identity is None:
        raise codes.unauthorized()
    return identity
