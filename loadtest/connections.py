"""What a connection costs: resident memory, and the CPU of letting one in with a token and two subscriptions."""

from __future__ import annotations

import asyncio
import gc
import time

from loadtest.measure import Figure
from loadtest.stack import Cost, Stack, running_stack
from loadtest.swarm.client import Client
from loadtest.swarm.ledger import Tally

NAME = "connections"
_WARM_UP = 200
_CONNECTS_AT_ONCE = 100
_SETTLE_S = 2.0


async def measure(count: int) -> list[Figure]:
    """Open `count` authenticated connections with inbox and announcements; say what they cost a worker."""
    with running_stack(kafka=False) as stack, stack.role("serve"):
        tally = Tally()
        warm = await _connect(stack, tally, range(_WARM_UP))
        before, began_s = stack.costs(), time.monotonic()
        clients = await _connect(stack, tally, range(_WARM_UP, _WARM_UP + count))
        took_s = time.monotonic() - began_s
        await asyncio.sleep(_SETTLE_S)
        after = stack.costs()
        for client in (*warm, *clients):
            client.close()
        if tally.errors or tally.connects != _WARM_UP + count:
            raise RuntimeError(f"{tally.connects} of {_WARM_UP + count} connected; {tally.errors}")
        return _figures(before, after, count=count, took_s=took_s)


def _figures(before: dict[str, Cost], after: dict[str, Cost], *, count: int, took_s: float) -> list[Figure]:
    resident = after["serve"].resident_bytes - before["serve"].resident_bytes
    cpu_s = after["serve"].cpu_s - before["serve"].cpu_s
    redis_s = after["redis"].cpu_s - before["redis"].cpu_s
    return [
        Figure(NAME, "resident memory per connection", resident / count / 1_024, "KB", budget=10),
        Figure(NAME, "gateway CPU per accept", cpu_s / count * 1e6, "µs", budget=350),
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
