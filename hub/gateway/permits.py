"""Whether a client may do what its command asks for; if not, the CommandError that says why."""

from __future__ import annotations

import asyncio

from hub.domain.errors import StoreUnavailable
from hub.domain.ids import Topic
from hub.domain.permission import Action, Identity
from hub.domain.topics import Namespace
from hub.gateway.client import Client
from hub.gateway.worker import Worker
from hub.observe import logger
from hub.protocol import codes

_TIMEOUT_S = 5.0
_log = logger(__name__)


def identity_of(client: Client) -> Identity:
    """Return who it is."""
    identity = client.session.identity
    if identity is None:
        raise codes.unauthorized()
    return identity


def options_of(worker: Worker, topic: Topic) -> Namespace:
    """Return the options of a topic that clients may name."""
    options = worker.directory.options(topic)
    if options is None:
        raise codes.unknown_channel()
    if not worker.directory.allows_name(topic):
        raise codes.bad_request()
    return options


async def allowed(client: Client, worker: Worker, action: Action, topic: Topic, *, subscribed: bool) -> bool:
    """Say whether a client may do something with a topic without a token for it."""
    identity = identity_of(client)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await worker.access.may(identity, action, topic, subscribed=subscribed)
    except (StoreUnavailable, TimeoutError) as error:
        raise codes.internal() from error
    except Exception as error:
        _log.exception("permission_check_failed")
        raise codes.internal() from error


async def permit(client: Client, worker: Worker, action: Action, topic: Topic, *, subscribed: bool) -> None:
    """Refuse what a client may not do with a topic."""
    if not await allowed(client, worker, action, topic, subscribed=subscribed):
        raise codes.permission_denied()
