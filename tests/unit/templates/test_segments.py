import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.segments import Size, cut, plain, size


@pytest.mark.parametrize(
    ("text", "segments", "unicode"),
    [
        ("", 1, False),
        ("a" * 160, 1, False),
        ("a" * 161, 2, False),
        ("a" * 306, 2, False),
        ("a" * 307, 3, False),
        ("€" * 80, 1, False),
        ("€" * 81, 2, False),
        ("ж" * 70, 1, True),
        ("ж" * 71, 2, True),
        ("ж" * 134, 2, True),
        ("ж" * 135, 3, True),
        ("a" * 69 + "😀", 2, True),
        ("äöüñÇ@£", 1, False),
        ("ç", 1, True),
    ],
)
def test_a_text_takes_as_many_segments_as_networks_make_of_it(text: str, segments: int, *, unicode: bool) -> None:
    assert size(text) == Size(segments, unicode)


def test_a_character_of_two_units_is_not_split_between_two_parts() -> None:
    assert size("a" * 152 + "€" + "a" * 152).segments == 3


def test_typography_does_not_cost_a_text_its_alphabet() -> None:
    assert plain("\u201cIt\u2019s here\u201d \u2013 soon\u2026") == '"It\'s here" - soon...'
    assert plain("“Скоро”") == "“Скоро”"


def test_a_text_that_is_too_long_is_cut_between_words() -> None:
    assert cut("word " * 100, 1) == ("word " * 31).strip() + "..."


@given(st.text(), st.integers(1, 4))
def test_a_cut_text_takes_no_more_segments_than_it_may(text: str, most: int) -> None:
    assert size(cut(text, most)).segments <= most


@given(st.text(max_size=60))
def test_a_short_text_stays_as_it_is(text: str) -> None:
    assert cut(text, 2) == text
