from typing import get_args

from babel.numbers import list_currencies

from hub.domain.money import Currency


def test_every_currency_is_one_that_can_be_formatted() -> None:
    codes = get_args(Currency)

    assert set(codes) - {"XCG"} <= list_currencies()
    assert len(codes) == len(set(codes)) > 150
