import pytest

from templates import locales

KNOWN = ("de", "en", "pt-BR")


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("pt-BR", ("pt-BR", "en")),
        ("pt", ("pt-BR", "en")),
        ("pt_PT", ("pt-BR", "en")),
        ("de-CH-1996", ("de", "en")),
        ("DE", ("de", "en")),
        ("zh-Hant-TW", ("en",)),
        ("en-GB", ("en",)),
        ("x", ("en",)),
        ("a" * 1000, ("en",)),
        ("de/../en", ("en",)),
    ],
)
def test_the_chain_goes_from_the_region_to_the_language_to_the_default(tag: str, expected: tuple[str, ...]) -> None:
    assert locales.chain(tag, default="en", known=KNOWN) == expected


def test_an_exact_region_goes_before_its_language() -> None:
    assert locales.chain("pt-BR", default="en", known=(*KNOWN, "pt")) == ("pt-BR", "pt", "en")


def test_a_right_to_left_language_is_known() -> None:
    assert locales.text_direction("ar") == "rtl"


def test_unknown_regions_keep_the_language() -> None:
    assert locales.formats_locale("de-ZZ", "de").startswith("de")
