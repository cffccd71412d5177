import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from templates.catalog import Catalog
from templates.check import render, sample
from templates.renderer import Renderer
from templates.segments import plain, size
from templates.texts import EmailText

NOW_MS = 1_767_261_600_000
"""2026-01-01 10:00 UTC."""
DAY_MS = 86_400_000
ISOLATE, END = "\u2068", "\u2069"
ARABIC_LETTER = re.compile("[\u0620-\u064a]")
_renderer = Renderer(clock=lambda: NOW_MS)


def mail(**context: Any) -> EmailText:
    return _renderer.email("order-cancelled", "ar", "UTC", {"order_id": "A-1", **context})


@pytest.fixture
def items(tmp_path: Path) -> Callable[[int], str]:
    path = tmp_path / "ar" / "mine" / "inbox.txt"
    path.parent.mkdir(parents=True)
    path.write_text('{{ n | plural("others") }}')
    renderer = Renderer(override=tmp_path)
    return lambda n: renderer.inbox("mine", "ar", "UTC", {"n": n}).title


@pytest.mark.parametrize("template", Catalog().templates())
def test_an_arabic_mail_runs_from_right_to_left(template: str) -> None:
    for locale in ("ar", "ar-EG", "ar_SA"):
        text = render(_renderer, template, channel="email", locale=locale)
        assert isinstance(text, EmailText)
        assert '<html lang="ar" dir="rtl">' in text.html


def test_a_total_stands_at_the_far_end_of_its_line() -> None:
    arabic, english = (render(_renderer, "order-placed", channel="email", locale=tag) for tag in ("ar", "en"))
    assert isinstance(arabic, EmailText)
    assert isinstance(english, EmailText)
    assert 'align="left"' in arabic.html
    assert 'align="right"' in english.html


@pytest.mark.parametrize("template", [name for name in Catalog().templates() if name != "message"])
def test_an_arabic_text_begins_with_arabic_so_that_phones_turn_it_round(template: str) -> None:
    for channel in ("inbox", "push", "sms"):
        text = render(_renderer, template, channel=channel, locale="ar")
        first = next(each for each in str(getattr(text, "title", getattr(text, "body", ""))) if each.isalpha())
        assert ARABIC_LETTER.match(first), channel


def test_values_keep_their_direction_to_themselves() -> None:
    text = mail(reason="out of stock", name="Zoë")
    for value in ("A-1", "out of stock", "Zoë"):
        assert f"{ISOLATE}{value}{END}" in text.text
        assert f"{ISOLATE}{value}{END}" in text.html
    assert f"{ISOLATE}A-1{END}" in text.subject


@pytest.mark.parametrize("mark", ["\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", ISOLATE, END])
def test_no_value_ends_its_isolation_or_turns_the_text_around(mark: str) -> None:
    text = mail(reason=f"a{mark}b", name=f"{mark}Zoë")
    for each in (text.subject, text.text, text.html):
        assert each.count(ISOLATE) == each.count(END)
        assert not set(each) & (set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067"))
    assert f"{ISOLATE}a b{END}" in text.text


def test_an_isolated_value_is_escaped_in_html_and_plain_in_text() -> None:
    text = mail(reason="<script>&", name="{{7*7}}")
    assert f"{ISOLATE}<script>&{END}" in text.text
    assert f"{ISOLATE}&lt;script&gt;&amp;{END}" in text.html
    assert "{{7*7}}" in text.text
    assert "<script>" not in text.html


def test_a_left_to_right_text_has_no_isolates() -> None:
    text = _renderer.email("order-placed", "en", "UTC", {**sample(_renderer, "order-placed"), "name": "Zoë"})
    assert ISOLATE not in text.subject + text.text + text.html


def test_a_link_stays_as_it_is_for_programs_to_find() -> None:
    link = "https://shop.example/orders/A-1"
    assert f": {link}\n" in mail(link=link).text
    assert f'href="{link}"' in mail(link=link).html


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "ولا شيء غيره"),
        (1, "ومنتج آخر"),
        (2, "ومنتجان آخران"),
        (3, "و3 منتجات أخرى"),
        (10, "و10 منتجات أخرى"),
        (11, "و11 منتجًا آخر"),
        (99, "و99 منتجًا آخر"),
        (100, "و100 منتج آخر"),
        (103, "و103 منتجات أخرى"),
    ],
)
def test_counts_have_the_six_forms_of_arabic(items: Callable[[int], str], count: int, expected: str) -> None:
    assert items(count) == expected


def test_dates_and_money_are_arabic() -> None:
    delayed = _renderer.inbox("shipment-delayed", "ar", "UTC", {"shipment_id": "S-1", "eta": NOW_MS + DAY_MS})
    far = _renderer.inbox("shipment-delayed", "ar", "UTC", {"shipment_id": "S-1", "eta": NOW_MS + 3 * DAY_MS})
    amount = {"amount_minor": 123450, "currency": "EUR"}
    paid = _renderer.inbox("payment-captured", "ar", "UTC", {"order_id": "A-1", "amount": amount})
    assert "غدًا الساعة 10:00 ص" in delayed.body
    assert "الأحد، 4 يناير الساعة" in far.body
    assert "\u200f1,234.50\u00a0€" in paid.body


@pytest.mark.parametrize("template", [name for name in Catalog().templates() if name != "message"])
def test_an_arabic_text_message_takes_three_segments_at_most_on_any_day(template: str) -> None:
    for days in range(9):
        at = NOW_MS + days * DAY_MS
        context = {**sample(_renderer, template), "eta": at, "delivered_at": at}
        assert size(plain(_renderer.sms(template, "ar", "UTC", context).body)).segments <= 3, days
