"""Connecting to RabbitMQ, and asking it something without being fooled by how a lost connection shows.

A call that is cut off by the loss of the connection may raise CancelledError in a task that nobody cancelled, or an
Exception of no class of its own. `asked` knows them, so that no task dies of it silently and no consumer loudly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from pamqp.common import FieldTable
from yarl import URL

from hub.domain.errors import DoorbellError
from hub.settings import RabbitMQ

T = TypeVar("T")

_HEARTBEAT_S = "10"


class BrokerLost(DoorbellError):
    """The connection or the channel is gone, or RabbitMQ does not answer."""


class ChannelLost(BrokerLost):
    """The channel is gone; the connection may still be there."""


async def connect(settings: RabbitMQ, *, timeout_s: float) -> AbstractConnection:
    """Return an open connection with heartbeats every 10 s unless the URL says otherwise. Raises BrokerLost.

    TLS (`amqps://`) checks the certificate and the name; `?cafile=`, `&certfile=` and `&keyfile=` name the files.
    """
    url = URL(settings.url)
    if "heartbeat" not in url.query:
        url = url.update_query(heartbeat=_HEARTBEAT_S)
    properties: FieldTable = {"connection_name": "doorbell"}
    return await asked(aio_pika.connect(url, timeout=timeout_s, client_properties=properties), timeout_s=timeout_s)


async def asked(question: Awaitable[T], *, timeout_s: float) -> T:
    """Await an answer of the broker. Raises BrokerLost where there is none, and lets AMQP's refusals through."""
    try:
        async with asyncio.timeout(timeout_s):
            return await question
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BrokerLost("the connection was cut off") from None
    except TimeoutError:
        raise BrokerLost(f"no answer within {timeout_s:g} s") from None
    except (OSError, ChannelInvalidStateError) as error:
        raise BrokerLost(f"{type(error).__name__}: {error}") from error
    except Exception as error:
        # aiormq's word for "closed, and nobody said why".
        if type(error) is Exception:
            raise BrokerLost("the connection was closed") from error
        raise


async def closed(connection: AbstractConnection, *, timeout_s: float) -> None:
    """Close the connection, which gives back every message that is not acknowledged. No AMQP error comes out."""
    try:
        await asked(connection.close(), timeout_s=timeout_s)
    except (AMQPError, BrokerLost):
        # Already gone, which is what was wanted.
        return
