import pytest

from hub.domain.ids import Epoch, Topic
from hub.domain.topics import Position
from hub.protocol.event_ids import MAX_LENGTH, BadEventId, decode, encode

PLACES = [(Topic("inbox:ann"), Epoch("aB3_-x"), 7), (Topic("room:ü/1"), Epoch("e"), 2**40)]


def test_positions_come_back_as_they_went() -> None:
    reached = decode(encode(PLACES))
    assert [reached[topic] for topic, _, _ in PLACES] == [Position(epoch, offset) for _, epoch, offset in PLACES]
    assert reached.get("other:1") is None
    assert len(reached) == len([*reached]) == 2


def test_a_client_without_topics_has_an_id_as_well() -> None:
    assert len(decode(encode([]))) == 0


def test_an_id_fits_into_a_header() -> None:
    many = [(Topic(f"room:{number}"), Epoch("kX8d2Pqa"), 10**9) for number in range(136)]
    assert len(encode(many)) < 4_096
    assert len(decode(encode(many))) == 136


def test_an_id_of_another_version_is_passed_over() -> None:
    assert len(decode("2~anything")) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "0",
        "1~",
        "1~00000000",
        "1~00000000.e",
        "1~00000000.e.",
        "1~00000000..1",
        "1~0000000g.e.1",
        "1~00000000.e.-1",
        "1~00000000.e.1\n",
        "1~00000000.e e.1",
        f"1~00000000.{'e' * 65}.1",
        "1~00000000.e.10000000000000",
        "1~00000000.e.1~",
        "2 3",
        "1~00000000.e.1" + "~00000000.e.1" * MAX_LENGTH,
    ],
)
def test_what_was_never_given_out_is_refused(text: str) -> None:
    with pytest.raises(BadEventId):
        decode(text)
