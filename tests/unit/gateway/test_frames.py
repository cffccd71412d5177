import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from hub.gateway.frames import close_frame, data_frame, holds_whole_messages, whole_messages


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


_FEW = st.lists(st.binary(max_size=200), min_size=1, max_size=4)


@given(_FEW)
def test_whole_texts_are_unmasked(payloads: list[bytes]) -> None:
    data = b"".join(_from_client(payload) for payload in payloads)
    assert whole_messages(data, 0x81, max_bytes=200) == payloads


@given(_FEW, st.data())
def test_half_a_text_is_left_to_a_parser(payloads: list[bytes], data: st.DataObject) -> None:
    whole = [_from_client(payload) for payload in payloads]
    cut = data.draw(st.integers(1, len(whole[-1]) - 1))
    assert whole_messages(b"".join(whole)[:-cut], 0x81, max_bytes=200) is None


@pytest.mark.parametrize(
    "frame",
    [
        _from_client(b"x", fin=False),
        _from_client(b"x", opcode=Opcode.CONT),
        _from_client(b"x", opcode=Opcode.BINARY),
        _from_client(b"", opcode=Opcode.CLOSE),
        _from_client(b"x", opcode=Opcode.PING),
        b"\xc1" + _from_client(b"reserved bit")[1:],
        data_frame(0x1, b"unmasked"),
        _from_client(b"x" * 4_001),
        _from_client(b"x" * 70_000),
    ],
    ids=["first", "later", "binary", "close", "ping", "reserved", "unmasked", "too large", "large"],
)
def test_anything_but_a_text_within_the_limit_is_left_to_a_parser(frame: bytes) -> None:
    assert whole_messages(frame, 0x81, max_bytes=4_000) is None
    assert whole_messages(_from_client(b"{}") + frame, 0x81, max_bytes=4_000) is None
