"""The least that a delivery can cost: a process that does nothing but write the same frame to every connection.

`python -m loadtest.floor COUNT FRAME_BYTES ROUNDS` listens, prints its port, takes COUNT connections, writes the frame
to each of them ROUNDS times and prints the CPU microseconds of one write. It runs on the same event loop as Doorbell,
so the difference to a delivery is what Doorbell adds.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

import uvloop

_PAUSE_S = 0.3
"""Between rounds: for the clients to read."""


class _Peer(asyncio.Protocol):
    def __init__(self, transports: list[asyncio.Transport]) -> None:
        self._transports = transports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transports.append(cast("asyncio.Transport", transport))


async def _write(count: int, frame: bytes, rounds: int) -> float:
    """Return the CPU seconds of all writes."""
    transports: list[asyncio.Transport] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Peer(transports), "127.0.0.1", 0, backlog=4_096)
    print(server.sockets[0].getsockname()[1], flush=True)
    while len(transports) < count:  # noqa: ASYNC110 - the clients come when they come
        await asyncio.sleep(0.05)
    began_s = time.process_time()
    for _ in range(rounds):
        for transport in transports:
            transport.write(frame)
        await asyncio.sleep(_PAUSE_S)
    return time.process_time() - began_s


def main() -> None:
    """Run it."""
    count, size, rounds = map(int, sys.argv[1:])
    cpu_s = uvloop.run(_write(count, b"x" * size, rounds))
    print(cpu_s / (count * rounds) * 1e6, flush=True)


if __name__ == "__main__":
    main()
