import pytest

from channels.tally import Tally


def test_what_was_counted_within_a_minute_is_told_by_word() -> None:
    tally = Tally()
    for now_s, word in ((1_000.0, "taken"), (1_004.0, "taken"), (1_020.0, "refused")):
        tally.count(word, now_s)
    assert tally.last_minute(1_030.0) == {"taken": 2, "refused": 1}


@pytest.mark.parametrize(("later_s", "left"), [(50.0, 1), (59.9, 1), (60.0, 0), (3_600.0, 0)])
def test_what_is_older_than_a_minute_is_forgotten_to_five_seconds(later_s: float, left: int) -> None:
    tally = Tally()
    tally.count("taken", 1_000.0)
    assert tally.last_minute(1_000.0 + later_s) == ({"taken": 1} if left else {})


def test_a_quiet_hour_between_two_words_counts_only_the_second() -> None:
    tally = Tally()
    tally.count("taken", 0.0)
    tally.count("refused", 3_600.0)
    assert tally.last_minute(3_600.0) == {"refused": 1}


def test_it_keeps_a_bounded_number_of_slots_however_long_it_counts() -> None:
    tally = Tally()
    for second in range(10_000):
        tally.count("taken", float(second))
    assert tally.last_minute(9_999.0) == {"taken": 60}
