"""What a stand-in of an HTTP provider is told to do wrong, and when.

A fault strikes the next `times` requests (None: all of them) whose `match` - a recipient, say - contains `recipient`.
It first waits `delay_s`, then answers with `status`, `headers` and `body` instead of what is right, or drops the
connection: before it has taken the message (`Drop.BEFORE`), or after (`Drop.AFTER`) without ever saying so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum

import msgspec
from aiohttp import web

from channels.standins.faults import Faults

GARBAGE = b"<html><body>502 Bad Gateway</body></html>"


class Drop(StrEnum):
    """When a connection is cut."""

    BEFORE = "before"
    AFTER = "after"


class HttpFault(msgspec.Struct, frozen=True):
    """One thing that goes wrong. `status` 0 takes the message and answers as is right, after the delay."""

    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = {}
    delay_s: float = 0.0
    drop: Drop | None = None
    times: int | None = 1
    recipient: str = ""


class HttpScript(Faults[HttpFault]):
    """The faults to come of an HTTP provider."""

    def strike(self, recipient: str) -> HttpFault | None:
        """Return the fault for this request, None where all is well, and count it."""
        return self.first(lambda fault: fault.recipient in recipient)


async def conduct(fault: HttpFault, request: web.Request) -> web.Response | None:
    """Do what a fault says before a message is taken; return the answer, None: go on as is right.

    A connection that is cut after the message was taken is `hang_up`'s.
    """
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    if fault.drop is Drop.BEFORE:
        return hang_up(request)
    if fault.status:
        headers = {"Content-Type": "application/json", **fault.headers}
        return web.Response(status=fault.status, body=fault.body, headers=headers)
    return None


def hang_up(request: web.Request) -> web.Response:
    """Cut the connection; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
