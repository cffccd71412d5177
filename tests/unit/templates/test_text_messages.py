import pytest

from templates.catalog import BUILT_IN
from templates.check import barest, sample
from templates.renderer import Renderer
from templates.segments import plain, size

TEXTED = (
    "order-cancelled",
    "payment-failed",
    "shipment-delayed",
    "shipment-delivered",
    "shipment-failed",
    "shipment-out-for-delivery",
)
LATIN = ("de", "en", "pt-BR")
DAY_MS = 86_400_000
# Tuesday, 6 October 2026, 22:45 UTC; the days after it have the longest names.
NOW_MS = 1_791_326_700_000
_renderer = Renderer(clock=lambda: NOW_MS)


def body(template: str, locale: str, *, days_ahead: int = 0) -> str:
    at = NOW_MS + days_ahead * DAY_MS
    context = {**sample(_renderer, template), "eta": at, "delivered_at": at}
    return plain(_renderer.sms(template, locale, "UTC", context).body)


@pytest.mark.parametrize("locale", [*LATIN, "ar"])
@pytest.mark.parametrize("template", TEXTED)
def test_what_people_are_texted_about_has_a_text_of_its_own(template: str, locale: str) -> None:
    assert (BUILT_IN / locale / template / "sms.txt").is_file()


@pytest.mark.parametrize("locale", LATIN)
@pytest.mark.parametrize("template", TEXTED)
def test_it_takes_two_segments_at_most_on_any_day(template: str, locale: str) -> None:
    assert max(size(body(template, locale, days_ahead=days)).segments for days in range(9)) <= 2


@pytest.mark.parametrize("locale", LATIN)
@pytest.mark.parametrize("template", TEXTED)
def test_its_own_words_spare_it_ucs_2(template: str, locale: str) -> None:
    assert not size(body(template, locale)).unicode


@pytest.mark.parametrize("locale", [*LATIN, "ar"])
@pytest.mark.parametrize("template", [name for name in TEXTED if name != "shipment-delivered"])
def test_it_ends_with_the_link_where_there_is_more_to_see_or_do(template: str, locale: str) -> None:
    assert body(template, locale).endswith(" https://shop.example/orders/A-1001")


@pytest.mark.parametrize("locale", [*LATIN, "ar"])
@pytest.mark.parametrize("template", TEXTED)
def test_it_is_whole_where_little_is_known(template: str, locale: str) -> None:
    bare = {**barest(sample(_renderer, template)), "link": None}
    text = _renderer.sms(template, locale, "UTC", bare).body
    assert text.endswith(".")
    assert "  " not in text
    assert "None" not in text
