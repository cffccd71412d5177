"""What a connection costs: memory, the CPU of letting one in with a token and two subscriptions, and of a delivery."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from typing import cast

from hub.app import open_stores
from hub.domain.decisions import Publication
from hub.domain.ids import EffectId
from hub.domain.topics import ANNOUNCEMENTS
from hub.settings import Settings
from loadtest.measure import Figure
from loadtest.stack import Cost, Stack, running_stack
from loadtest.swarm.client import Client
from loadtest.swarm.ledger import Tally

NAME = "connections"
_WARM_UP = 200
_CONNECTS_AT_ONCE = 100
_SETTLE_S = 2.0
_ROUNDS = 10
_ROUND_TIMEOUT_S = 30.0
_FRAME_BYTES = 250
"""Of a broadcast, on the wire."""


async def measure(count: int) -> list[Figure]:
    """Open `count` authenticated connections with inbox and announcements; say what they and broadcasts to them cost.

    Memory is what the last two thirds of them add: the first third also uses up what the worker's start has left free.
    """
    with running_stack(kafka=False) as stack, stack.role("serve"):
        tally = Tally()
        third = count // 3
        clients = await _connect(stack, tally, range(_WARM_UP))
        before, began_s = stack.costs(), time.monotonic()
        clients += await _connect(stack, tally, range(_WARM_UP, _WARM_UP + third))
        filled = stack.costs()
        clients += await _connect(stack, tally, range(_WARM_UP + third, _WARM_UP + count))
        took_s = time.monotonic() - began_s
        await asyncio.sleep(_SETTLE_S)
        after = stack.costs()
        if tally.errors or tally.connects != len(clients):
            raise RuntimeError(f"{tally.connects} of {len(clients)} connected; {tally.errors}")
        delivery_us = await _delivery_us(stack, tally, len(clients))
        for client in clients:
            client.close()
    figures = _figures(before, after, count=count, took_s=took_s)
    resident = after["serve"].resident_bytes - filled["serve"].resident_bytes
    floor_us = await _floor_us(count)
    return [
        Figure(NAME, "resident memory per connection", resident / (count - third) / 1_024, "KB", budget=8),
        *figures,
        Figure(NAME, "gateway CPU per broadcast delivery", delivery_us, "µs", budget=13),
        Figure(NAME, "of which the bare write", floor_us, "µs"),
    ]


def _figures(before: dict[str, Cost], after: dict[str, Cost], *, count: int, took_s: float) -> list[Figure]:
    cpu_s = after["serve"].cpu_s - before["serve"].cpu_s
    redis_s = after["redis"].cpu_s - before["redis"].cpu_s
    return [
        Figure(NAME, "whole worker, by connection", after["serve"].resident_bytes / count / 1_024, "KB"),
        Figure(NAME, "gateway CPU per accept", cpu_s / count * 1e6, "µs", budget=250),
        Figure(NAME, "Redis CPU per accept", redis_s / count * 1e6, "µs"),
        Figure(NAME, "accepts per second", count / took_s, "1/s"),
    ]


async def _connect(stack: Stack, tally: Tally, numbers: range) -> list[Client]:
    gc.freeze()
    turns = asyncio.Semaphore(_CONNECTS_AT_ONCE)
    clients = [
        Client(f"user-{number}", address=stack.address, token=stack.mint, tally=tally, on_publication=lambda *_: None)
        for number in numbers
    ]

    async def connect(client: Client) -> None:
        async with turns:
            await client.open()
            await asyncio.wait_for(client.connected.wait(), 30.0)

    await asyncio.gather(*(connect(client) for client in clients))
    return clients


async def _delivery_us(stack: Stack, tally: Tally, receivers: int) -> float:
    """Return the CPU of the worker for one delivery of a broadcast to everybody."""
    async with open_stores(Settings(), stack.redis_url) as stores:
        before = stack.costs()["serve"].cpu_s
        for number in range(_ROUNDS):
            received = tally.received
            body = json.dumps({"sale": "x" * (_FRAME_BYTES - 70)}).encode()
            await stores.topics.publish_many([Publication(ANNOUNCEMENTS, EffectId(f"b{number}"), body)])
            async with asyncio.timeout(_ROUND_TIMEOUT_S):
                while tally.received < received + receivers:  # noqa: ASYNC110 - the tally has no event
                    await asyncio.sleep(0.05)
        cpu_s = stack.costs()["serve"].cpu_s - before
    return cpu_s / (receivers * _ROUNDS) * 1e6


async def _floor_us(count: int) -> float:
    """Return the CPU of one bare write to one of as many connections (`loadtest.floor`)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "loadtest.floor",
        str(count),
        str(_FRAME_BYTES),
        str(_ROUNDS),
        stdout=asyncio.subprocess.PIPE,
    )
    output = cast("asyncio.StreamReader", process.stdout)
    port = int(await output.readline())
    loop = asyncio.get_running_loop()
    peers = [(await loop.create_connection(asyncio.Protocol, "127.0.0.1", port))[0] for _ in range(count)]
    async with asyncio.timeout(_ROUND_TIMEOUT_S):
        figure = float(await output.readline())
        await process.wait()
    for peer in peers:
        peer.close()
    return figure
