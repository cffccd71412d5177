"""Ten thousand broken connections at a worker that serves others meanwhile."""

import asyncio
import random
import struct
import time
from typing import cast

from tests.integration.gateway.peer import BROKEN, CONNECT, HEAD, frame
from tests.integration.gateway.stage import Raw, Running, Start, open_descriptors, until

_CONNECTIONS = 10_000
_AT_ONCE = 100
_FLOOD = 300
_PATIENCE_S = 5.0
"""For one answer to the neighbour, on a machine that is busy with all of this."""

_STORM = [
    *BROKEN,
    (frame(CONNECT) + frame(b"", first=0x89) * _FLOOD, 3013),
    (frame(CONNECT) + frame(b"", first=0x8A) * _FLOOD, 3013),
    (frame(CONNECT) + frame(b"", first=0x01) + frame(b"", first=0x00) * _FLOOD, 3013),
    (frame(b'{"id":1,"connect":{"token":"forged"}}'), 3500),
    # A frame that is never finished, a message that is never finished, a head that is never finished.
    (b"\x81\xfe\x10\x00\0\0\0\0", 0),
    (frame(b"half", first=0x01), 0),
    (b"", 0),
]
"""What is sent after the handshake, and the code that the connection is closed with; 0: the client hangs up."""


class Vandal(asyncio.Protocol):
    """Connects, sends everything in one go and waits for the end."""

    def __init__(self, sent: bytes, code: int) -> None:
        self._sent = sent
        self._code = code
        self._received = bytearray()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        writing = cast("asyncio.Transport", transport)
        writing.write(HEAD + b"\r\n" + self._sent)
        if not self._code:
            writing.abort()

    def data_received(self, data: bytes) -> None:
        self._received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(None)

    @property
    def code(self) -> int:
        """The code of the close frame: the last thing that comes."""
        at = self._received.rfind(b"\x88")
        return int(struct.unpack("!H", self._received[at + 2 : at + 4])[0]) if at >= 0 and self._code else 0


async def vandalise(worker: Running, sent: bytes, code: int) -> int:
    _, vandal = await asyncio.get_running_loop().create_connection(lambda: Vandal(sent, code), "127.0.0.1", worker.port)
    async with asyncio.timeout(60):
        await vandal.ended
    return vandal.code


async def test_nonsense_of_every_kind_hurts_only_who_sends_it(start: Start) -> None:
    worker = await start(accepts_per_second=1_000_000, max_connections_per_user=0)
    chance = random.Random(7)
    kinds = [_STORM[number % len(_STORM)] for number in range(_CONNECTIONS)]
    chance.shuffle(kinds)
    async with worker.user("bob") as neighbour:
        descriptors = open_descriptors()
        turns = asyncio.Semaphore(_AT_ONCE)
        wrong: list[tuple[bytes, int, int]] = []

        async def one(sent: bytes, code: int) -> None:
            async with turns:
                found = await vandalise(worker, sent, code)
                if found != code:
                    wrong.append((sent[:60], code, found))

        storm = asyncio.gather(*(one(sent, code) for sent, code in kinds))
        waits_s = []
        async with asyncio.timeout(100):
            while not storm.done():
                waits_s.append(await answer_s(neighbour))
            await storm
        assert wrong == []
        assert sorted(waits_s)[len(waits_s) * 99 // 100] < _PATIENCE_S
        await until(lambda: worker.gateway.connections == 1, within_s=20)
        await until(lambda: open_descriptors() == descriptors, within_s=20)
        await worker.publish("inbox:bob", "still here")
        assert (await neighbour.publications(1))[0]["data"] == "still here"


async def answer_s(neighbour: Raw) -> float:
    """How long an honest client waits for an answer."""
    await asyncio.sleep(0.02)
    asked_s = time.monotonic()
    assert await neighbour.call(ping={}) == {}
    return time.monotonic() - asked_s
