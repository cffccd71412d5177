"""A client that keeps no rule, and the ways to break one."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.integration.gateway.stage import PATIENCE_S, Running

HEAD = (
    b"GET /connection/websocket HTTP/1.1\r\nHost: shop.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
CONNECT = b'{"id":1,"connect":{"token":"ann"}}'


class Peer:
    """A client that sends what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def everything(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self._reader.read(-1)

    async def head(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self._reader.readuntil(b"\r\n\r\n")

    async def frame(self) -> tuple[int, bytes]:
        async with asyncio.timeout(PATIENCE_S):
            first, length = await self._reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack("!H", await self._reader.readexactly(2))
            return first & 0x0F, await self._reader.readexactly(length)

    async def close_code(self) -> int:
        while True:
            opcode, payload = await self.frame()
            if opcode == 8:
                return int(struct.unpack("!H", payload[:2])[0])


@asynccontextmanager
async def peer(worker: Running, *, upgraded: bool = True) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
    client = Peer(reader, writer)
    if upgraded:
        client.send(HEAD + b"\r\n")
        assert b" 101 " in await client.head()
    yield client
    writer.close()


def frame(payload: bytes, *, first: int = 0x81, masked: bool = True) -> bytes:
    mask = 0x80 if masked else 0
    length = bytes((mask | len(payload),)) if len(payload) < 126 else struct.pack("!BH", mask | 126, len(payload))
    return bytes((first,)) + length + (b"\0\0\0\0" if masked else b"") + payload


BROKEN: list[tuple[bytes, int]] = [
    (frame(b"", first=0x83), 1002),
    (frame(b"", first=0xC1), 1002),
    (frame(CONNECT, masked=False), 1002),
    (frame(b"x" * 126, first=0x89), 1002),
    (frame(b"x", first=0x80), 1002),
    (frame(b"x", first=0x09), 1002),
    (frame(b"\x00", first=0x88), 1002),
    (frame(struct.pack("!H", 1005), first=0x88), 1002),
    (b"\x81\xff" + struct.pack("!Q", 2**40) + b"\0\0\0\0", 1009),
    (b"\x81\xff" + struct.pack("!Q", 70_000) + b"\0\0\0\0", 1009),
    (frame(b"\xff\xfe"), 1007),
    (frame(b'{"id":1,"connect":{"token":"\xc3("}}'), 1007),
    (frame(b"\x08\x01", first=0x82), 3506),
    (frame(b"hello"), 3501),
    (frame(b""), 3501),
    (frame(b"[]"), 3501),
    (frame(b"{}"), 3501),
    (frame(b'{"id":1,"rpc":{"method":"echo"}}'), 3501),
    (frame(b'{"id":0,"connect":{"token":"ann"}}'), 3501),
    (frame(b'{"id":1,"connect":5}'), 3501),
    (frame(b"[" * 60_000), 3501),
    (frame(CONNECT) + frame(CONNECT), 3501),
    (frame(CONNECT + b"\n" + b'{"id":-2,"ping":{}}'), 3501),
    (frame(struct.pack("!H", 1000), first=0x88), 1000),
]
"""What a client may send that ends its connection, and with which code."""
