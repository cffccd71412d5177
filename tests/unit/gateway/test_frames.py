import pytest
from websockets.frames import Frame, Opcode

from hub.gateway.frames import close_frame, data_frame, holds_whole_messages


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
def test_a_frame_is_what_the_library_would_write(opcode: Opcode, size: int) -> None:
    assert data_frame(opcode, b"x" * size) == Frame(opcode, b"x" * size).serialize(mask=False)


def test_a_long_close_reason_is_cut_between_characters() -> None:
    frame = close_frame(3000, "ü" * 100)
    assert frame[1] == 2 + 122
    assert frame[4:].decode() == "ü" * 61


def _from_client(payload: bytes, *, fin: bool = True, opcode: Opcode = Opcode.TEXT) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=True)


@pytest.mark.parametrize("size", [0, 2, 125, 126, 4_000])
def test_whole_frames_hold_whole_messages(size: int) -> None:
    frame = _from_client(b"x" * size)
    assert holds_whole_messages(frame)
    assert holds_whole_messages(frame + frame)


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 6, 7])
def test_a_part_of_a_frame_does_not(cut: int) -> None:
    frame = _from_client(b"xyz")
    assert not holds_whole_messages(frame[:cut])
    assert not holds_whole_messages(frame + frame[:cut])


@pytest.mark.parametrize(
    "frame",
    [
        _from_client(b"x", fin=False),
        _from_client(b"x", opcode=Opcode.CONT),
        data_frame(Opcode.TEXT, b"unmasked"),
        _from_client(b"x" * 70_000),
    ],
    ids=["first fragment", "later fragment", "unmasked", "large"],
)
def test_anything_unusual_gets_a_parser_of_its_own(frame: bytes) -> None:
    assert not holds_whole_messages(frame)
