import pytest

from hub.domain.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("60s", 60), ("15m", 900), ("2h", 7_200), ("366d", 31_622_400)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "s", "1.5h", "-1s", "1 h", "1w", "367d", "99999999s", "٣s"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write a whole number|at most 366d"):
        parse_duration(text)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (90, "90s"), (900, "15m"), (7_200, "2h"), (172_800, "2d")])
def test_a_duration_is_shown_in_its_largest_whole_unit(seconds: int, text: str) -> None:
    assert format_duration(seconds) == text
