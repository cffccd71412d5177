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


class HttpScript:
    """The faults to come, in the order they were added."""

    def __init__(self) -> None:
        self._faults: list[tuple[HttpFault, int | None]] = []

    def add(self, fault: HttpFault) -> None:
        """Let a fault strike from now on."""
        self._faults.append((fault, fault.times))

    def clear(self) -> None:
        """Let everything go right again."""
        self._faults.clear()

    def strike(self, recipient: str) -> HttpFault | None:
        """Return the fault for this request, None where all is well, and count it."""
        for index, (fault, left) in enumerate(self._faults):
            if fault.recipient in recipient:
                if left is not None:
                    self._faults[index : index + 1] = [(fault, left - 1)] if left > 1 else []
                return fault
        return None


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
