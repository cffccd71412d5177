"""`python -m loadtest.delivery.provider relay|twilio|fcm`: a stand-in of a provider as a process of its own.

Prints `{"url": …}` when it is ready. To a line `count` on standard input it answers how many messages it has taken, to
`arrivals` a list of [recipient, Unix ms of the receipt] for each of them; it ends when standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import uvloop

from channels.standins.fcm import FcmStandIn
from channels.standins.mail_relay import MailRelay
from channels.standins.outbox import Outbox
from channels.standins.twilio import TwilioStandIn

KEPT = 500_000
"""Messages of which the arrival is remembered."""
_READ_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Running:
    """A stand-in: how to run it, where it listens, and what it has taken."""

    running: AbstractAsyncContextManager[Any]
    url: Callable[[], str]
    arrivals: Callable[[], list[tuple[str, int]]]
    count: Callable[[], int]


def relay() -> Running:
    """Return a mail relay that keeps no more than a few mails, but knows how many there were."""
    found = MailRelay(outbox=Outbox(mails_max=100))
    return Running(found, lambda: found.url, list, lambda: found.outbox.total)


def twilio() -> Running:
    """Return Twilio."""
    found = TwilioStandIn()
    found.taken = deque(maxlen=KEPT)
    return Running(
        found,
        lambda: found.url,
        lambda: [(text.to, text.received_ms) for text in found.taken],
        lambda: len(found.taken),
    )


def fcm() -> Running:
    """Return Firebase Cloud Messaging."""
    found = FcmStandIn()
    found.taken = deque(maxlen=KEPT)
    return Running(
        found,
        lambda: found.url,
        lambda: [(push.to, push.received_ms) for push in found.taken],
        lambda: len(found.taken),
    )


STAND_INS: dict[str, Callable[[], Running]] = {"relay": relay, "twilio": twilio, "fcm": fcm}


async def serve(stand_in: Running) -> None:
    """Run it until standard input closes."""
    over = asyncio.Event()
    async with stand_in.running:
        asyncio.get_running_loop().add_reader(sys.stdin, lambda: _answer(stand_in, over))
        _say({"url": stand_in.url()})
        await over.wait()


def _answer(stand_in: Running, over: asyncio.Event) -> None:
    asked = os.read(sys.stdin.fileno(), _READ_BYTES).split()
    for word in asked:
        _say(stand_in.count() if word == b"count" else stand_in.arrivals())
    if not asked:
        over.set()


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(serve(STAND_INS[sys.argv[1]]()))
