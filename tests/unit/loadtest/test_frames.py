import random

import pytest

from loadtest.swarm import frames


def unmasked(payload: bytes, opcode: int = frames.TEXT) -> bytes:
    """A frame as a server sends it."""
    sent = bytearray(frames.encode(payload, opcode))
    sent[1] &= 0x7F
    head = len(sent) - len(payload)
    del sent[head - 4 : head]
    return bytes(sent)


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_a_frame_of_any_length_comes_through(length: int) -> None:
    assert list(frames.Decoder().feed(unmasked(b"x" * length))) == [(frames.TEXT, b"x" * length)]


def test_frames_may_be_cut_anywhere() -> None:
    payloads = [bytes([number]) * size for number, size in enumerate((0, 3, 125, 126, 300, 70_000))]
    stream = b"".join(unmasked(payload, frames.BINARY) for payload in payloads)
    dice, decoder, found = random.Random(1), frames.Decoder(), []
    while stream:
        size = dice.choice((1, 2, 3, 100, 50_000))
        found += [payload for _, payload in decoder.feed(stream[:size])]
        stream = stream[size:]
    assert found == payloads


def test_what_a_client_sends_is_masked() -> None:
    assert frames.encode(b"{}")[:2] == bytes((0x81, 0x82))
