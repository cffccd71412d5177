from decimal import Decimal

from babel import Locale
from babel.numbers import format_currency
from hypothesis import given, settings
from hypothesis import strategies as st

from templates.exponents import exponent_of
from templates.money import money_format

FEW = settings(max_examples=min(100, settings().max_examples))
LOCALES = ("en", "en_IN", "de", "de_CH", "pt_BR", "pt_PT", "fr", "ar", "ja", "hi", "sv", "fa")
CURRENCIES = ("EUR", "USD", "BRL", "JPY", "KWD", "CHF", "INR", "CLF")


@FEW
@given(
    locale=st.sampled_from(LOCALES),
    currency=st.sampled_from(CURRENCIES),
    amount_minor=st.integers(min_value=-(10**15), max_value=10**15),
)
def test_money_is_written_as_babel_writes_it(locale: str, currency: str, amount_minor: int) -> None:
    exponent = exponent_of(currency)
    digits = f".{'0' * exponent}" if exponent else ""
    pattern = Locale.parse(locale).currency_formats["standard"].pattern.replace(".00", digits)
    expected = format_currency(
        Decimal(amount_minor).scaleb(-exponent), currency, format=pattern, locale=locale, currency_digits=False
    )
    assert money_format(locale, currency, exponent).write(amount_minor) == expected
