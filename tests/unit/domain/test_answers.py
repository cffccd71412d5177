import pytest

from hub.domain.answers import ANSWERED_STOP, SOURCE, Answer, Stop, answer_in, stop_of, told, wording_of


@pytest.mark.parametrize(
    ("text", "understood", "answer"),
    [
        ("STOP", "", Answer.STOP),
        (" stop! ", "", Answer.STOP),
        ("Unsubscribe.", "", Answer.STOP),
        ("yes", "", Answer.START),
        ("please stop calling", "", None),
        ("", "", None),
        ("basta", "STOP", Answer.STOP),
        ("stop", "START", Answer.START),
        ("stop", "HELP", None),
    ],
)
def test_an_answer_is_a_wish_where_it_is_nothing_else(text: str, understood: str, answer: Answer | None) -> None:
    assert answer_in(text, understood=understood) is answer


def test_of_a_long_answer_the_beginning_is_kept_on_one_line() -> None:
    assert wording_of("stop\r\nit " + "now " * 100) == "stop it " + "now " * 8


def test_a_stop_is_told_with_its_words_and_time_where_they_are_known() -> None:
    stop = stop_of(ANSWERED_STOP, at_ms=1_767_261_600_000, wording="Stop")
    assert stop == Stop(SOURCE, 1_767_261_600_000, "Stop")
    assert told(stop) == "the person has answered STOP (Stop) on 2026-01-01 at 10:00:00 UTC"
    assert told(Stop(SOURCE, 0)) == "the person has answered STOP"


def test_an_address_that_bounced_is_no_word_of_the_person() -> None:
    assert stop_of("bounced: 5.1.1", at_ms=1, wording="") is None
