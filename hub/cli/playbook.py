"""`doorbell playbook explain`: what the rules make of an event."""

from __future__ import annotations

import argparse
import asyncio
import sys

from hub.app import load_playbook, open_stores
from hub.domain.cloudevents import decode_structured
from hub.domain.dispatch import ABSENT, Snapshot, touches
from hub.domain.envelope import Event
from hub.domain.errors import InputError
from hub.domain.explain import explain as explained
from hub.domain.explain import imagined
from hub.roles.state import redis_of
from hub.settings import Settings
from hub.store.clock import unix_ms

_MS = 1_000


def explain(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print what would be sent to whom and why not; nothing is changed or sent."""
    try:
        event = decode_structured(arguments.event.read_bytes(), received_ms=unix_ms())
    except OSError as error:
        raise InputError(str(arguments.event), f"cannot be read: {error.strerror}") from error
    if not isinstance(event, Event):
        sys.stderr.write(f"type: {event.type} is none of ours; it would be counted and skipped\n")
        return 1
    snapshot = asyncio.run(_known(event, settings)) if arguments.live else imagined(event)
    lines = explained(
        event,
        snapshot,
        playbook=load_playbook(settings),
        now_ms=unix_ms(),
        replay_window_ms=settings.replay_window_s * _MS,
    )
    print("\n".join(lines))
    return 0


async def _known(event: Event, settings: Settings) -> Snapshot:
    """Return what the hub really knows about the event's order, shipment, sale or person."""
    touch = touches(event)
    aggregates = [aggregate for aggregate in (touch.own, touch.related) if aggregate is not None]
    async with redis_of(settings, must_exist=True) as url, open_stores(settings, url) as stores:
        documents = dict(zip(aggregates, await stores.documents.read_many(aggregates), strict=True))
    return Snapshot(
        own=documents[touch.own] if touch.own else ABSENT,
        related=documents[touch.related] if touch.related else ABSENT,
    )
