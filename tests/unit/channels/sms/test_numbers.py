import pytest

from channels.sms.numbers import Number, number


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("+4915112345678", Number("+4915112345678", "DE", "+491511")),
        ("+12025550123", Number("+12025550123", "US", "+12025")),
        ("+55 11 91234-5678", Number("+5511912345678", "BR", "+551191")),
    ],
)
def test_a_number_that_takes_texts_is_known_with_its_country_and_prefix(text: str, found: Number) -> None:
    assert number(text) == found


@pytest.mark.parametrize("text", ["", "015112345678", "+49", "+49301234567", "+4990012345", "+999123456789", "call me"])
def test_what_takes_no_texts_is_none(text: str) -> None:
    assert number(text) is None
