"""Whatever a value holds, a push and a text message keep their lines and length, and do nothing that it says."""

import unicodedata
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from templates.catalog import Catalog
from templates.check import sample
from templates.renderer import Renderer
from templates.sandbox import VALUE_MAX
from templates.segments import cut, plain, size

FEW = settings(max_examples=max(8, settings().max_examples // 4))
LOCALES = st.sampled_from(Catalog().locales())
TEMPLATES = Catalog().templates()
_renderer = Renderer(clock=lambda: 1_767_261_600_000)
# What a template itself puts round a value in Arabic; a value never brings any.
_ISOLATES = "\u2068\u2069"


def hostile(template: str, value: str) -> dict[str, Any]:
    """Return the sample with every text in it replaced, the link, name and shop too."""
    full = {**sample(_renderer, template), "shop": "Shop"}
    return {name: _with(each, value) for name, each in full.items()}


def _with(each: Any, value: str) -> Any:
    """Return what stands in a sample with every text in it replaced."""
    if isinstance(each, list):
        return [_with(one, value) for one in each]
    if isinstance(each, dict) and "currency" not in each:
        return {name: _with(one, value) for name, one in each.items()}
    return value if isinstance(each, str) else each


def is_harmless(text: str) -> bool:
    """Tell whether it has no control, surrogate or line separator, and no mark that turns the text around."""
    turned = any("\u202a" <= each <= "\u202e" or each in "\u2066\u2067" for each in text)
    return not turned and all(unicodedata.category(each) not in {"Cc", "Cs", "Zl", "Zp"} for each in text)


@pytest.mark.parametrize("template", TEMPLATES)
@FEW
@given(st.text(max_size=200), LOCALES)
@example("\r\nBcc: x@example.com\x00\x1b[31m", "en")
@example("{{7*7}}{% for a in range(9) %}x{% endfor %}${7*7}", "en")
@example("\u202ereversed\u2069\u2066\u2028\u2029\x85\ud800\ufeff", "ar")
@example("<script>alert(1)</script>&amp;\"'", "de")
def test_a_push_keeps_its_title_on_one_line_and_shows_no_controls(template: str, value: str, locale: str) -> None:
    push = _renderer.push(template, locale, "UTC", hostile(template, value))
    assert is_harmless(push.title)
    assert is_harmless(push.body.replace("\n", ""))
    assert push.title.count(_ISOLATES[0]) == push.title.count(_ISOLATES[1])
    assert push.body.count(_ISOLATES[0]) == push.body.count(_ISOLATES[1])


@pytest.mark.parametrize("template", TEMPLATES)
@FEW
@given(st.text(max_size=200), LOCALES)
@example("\r\nSTOP\r\n", "en")
@example("{{7*7}}{{ link }}", "pt-BR")
@example("\u202ereversed\u2069\u2066\u2028\u2029\x85\ud800\ufeff", "ar")
@example("😀" * 200, "de")
def test_a_text_message_gets_no_line_or_control_from_a_value(template: str, value: str, locale: str) -> None:
    context = hostile(template, value)
    lines = _renderer.sms(template, locale, "UTC", context).body.split("\n")
    honest = _renderer.sms(template, locale, "UTC", hostile(template, "honest")).body.split("\n")
    assert all(map(is_harmless, lines))
    assert len(lines) <= len(honest)


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_value_makes_a_text_message_dear(template: str) -> None:
    for locale, filler in product(Catalog().locales(), ["a", "€", "ж", "😀", "\n", "\u202e"]):
        body = _renderer.sms(template, locale, "UTC", hostile(template, filler * 100_000)).body
        assert size(cut(plain(body), 3)).segments <= 3, (locale, filler)
        assert len(body) < 6 * VALUE_MAX, (locale, filler)


@pytest.mark.parametrize("value", ["{{7*7}}", "{{ ''.__class__ }}", "{% include 'x' %}", "${7*7}", "<b>&amp;</b>"])
def test_a_value_is_shown_as_it_stands(value: str) -> None:
    context = hostile("order-cancelled", value)
    assert value in _renderer.push("order-cancelled", "en", "UTC", context).body
    assert value in _renderer.sms("order-cancelled", "en", "UTC", context).body
