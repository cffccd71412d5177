"""What a client says over a connection, without one: a reader is fed by hand."""

import asyncio
import time

import pytest

from channels.email.lmtp_input import DISCARDED_MAX_BYTES, MESSAGE_MAX_BYTES, LmtpInput

END = b"\r\n.\r\n"
QUICK_S = 0.5
"""Far above what a megabyte takes; a step for each of its lines takes longer."""


def said(*chunks: bytes) -> LmtpInput:
    """A client that says this, piece by piece, and hangs up."""

    class Pieces(asyncio.StreamReader):
        async def read(self, n: int = -1) -> bytes:
            return next(pieces, b"")

    pieces = iter(chunks)
    return LmtpInput(Pieces())


async def test_several_things_that_are_said_at_once_come_one_by_one() -> None:
    client = said(b"LHLO x\r\nDATA\r\nSubject: A\r\n\r\nB" + END + b"QUIT\r\nNOOP\n")
    assert [await client.line(), await client.line()] == [b"LHLO x", b"DATA"]
    assert await client.message() == b"Subject: A\r\n\r\nB\r\n"
    assert [await client.line(), await client.line()] == [b"QUIT", b"NOOP"]


@pytest.mark.parametrize("size", range(1, 12))
async def test_a_message_is_the_same_however_its_bytes_arrive(size: int) -> None:
    whole = b"DATA\r\n..a\r\n.b\n.\r\nc.\r\n\r\n..\r\n.\n." + END + b".\r\nQUIT\r\n"
    client = said(*(whole[at : at + size] for at in range(0, len(whole), size)))
    assert await client.line() == b"DATA"
    assert await client.message() == b".a\r\nb\n\r\nc.\r\n\r\n.\r\n\n\r\n"
    assert await client.message() == b""
    assert await client.line() == b"QUIT"


async def test_a_message_of_the_largest_size_is_taken_and_one_byte_more_is_not() -> None:
    largest = b"x" * (MESSAGE_MAX_BYTES - 2)
    client = said(largest + END, b"x" + largest + END, b"QUIT\r\n")
    assert await client.message() == largest + b"\r\n"
    assert await client.message() is None
    assert await client.line() == b"QUIT"


@pytest.mark.parametrize("whole", [b"", b"NOOP", b"x" * 200_000])
async def test_a_line_without_an_end_is_the_end(whole: bytes) -> None:
    with pytest.raises(EOFError):
        await said(whole).line()


async def test_a_message_without_an_end_is_the_end_after_a_bounded_time() -> None:
    chunk = b"x" * MESSAGE_MAX_BYTES
    with pytest.raises(EOFError):
        await said(*[chunk] * (2 * DISCARDED_MAX_BYTES // len(chunk)), END).message()


@pytest.mark.parametrize("line", [b"\n", b".\n", b"\r\n", b"..\r\n", b"x.\r\n"])
async def test_a_megabyte_of_short_lines_takes_no_longer_than_any_other(line: bytes) -> None:
    whole = b"x\r\n" + line * (MESSAGE_MAX_BYTES // len(line) - 10) + b"x" + END
    client = said(*(whole[at : at + 65_536] for at in range(0, len(whole), 65_536)))
    begun_s = time.process_time()
    assert await client.message() is not None
    assert time.process_time() - begun_s < QUICK_S
