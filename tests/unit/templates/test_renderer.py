from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from templates.renderer import Renderer
from templates.texts import TemplateError

NOW_MS = 1_767_261_600_000
"""2026-01-01 10:00 UTC."""
HOUR_MS = 3_600_000
MESSAGE = {"title": "Closed on Friday", "body": "Orders leave on Monday."}


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(clock=lambda: NOW_MS)


@pytest.fixture
def with_templates(tmp_path: Path) -> Callable[..., Renderer]:
    def make(**files: str) -> Renderer:
        for name, text in files.items():
            path = tmp_path / "en" / "mine" / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Renderer(override=tmp_path, clock=lambda: NOW_MS)

    return make


def delayed(eta_ms: int) -> dict[str, Any]:
    return {"shipment_id": "S-1", "order_id": "A-1", "eta": eta_ms}


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("en", "Your parcel is delayed"),
        ("de-AT", "Ihr Paket verspätet sich"),
        ("pt_BR", "Seu pacote vai atrasar"),
        ("pt-PT", "Seu pacote vai atrasar"),
        ("fr", "Your parcel is delayed"),
        ("", "Your parcel is delayed"),
        ("../../etc", "Your parcel is delayed"),
    ],
)
def test_a_locale_falls_back_to_its_language_and_then_to_the_default(
    renderer: Renderer, locale: str, title: str
) -> None:
    assert renderer.inbox("shipment-delayed", locale, "UTC", delayed(NOW_MS)).title == title


@pytest.mark.parametrize(
    ("locale", "time_zone", "expected"),
    [
        ("en-GB", "Europe/London", "today at 16:00"),
        ("en-US", "America/New_York", "today at 11:00\u202fAM"),
        ("de", "Asia/Tokyo", "morgen, 01:00 Uhr"),
        ("pt-BR", "America/Sao_Paulo", "hoje, às 13:00"),
        ("en-GB", "No/Such_Zone", "today at 16:00"),
        ("en-GB", "../../etc/passwd", "today at 16:00"),
    ],
)
def test_instants_are_shown_in_the_persons_time_zone(
    renderer: Renderer, locale: str, time_zone: str, expected: str
) -> None:
    text = renderer.inbox("shipment-delayed", locale, time_zone, delayed(NOW_MS + 6 * HOUR_MS))
    assert expected in text.body


def test_a_british_reader_of_the_english_text_gets_british_dates(renderer: Renderer) -> None:
    text = renderer.inbox("shipment-delayed", "en-GB", "UTC", delayed(NOW_MS + 72 * HOUR_MS))
    assert "Sunday 4 January at 10:00" in text.body


def test_a_french_reader_of_the_english_text_gets_english_dates(renderer: Renderer) -> None:
    text = renderer.inbox("shipment-delayed", "fr", "UTC", delayed(NOW_MS + 72 * HOUR_MS))
    assert "Sunday, January 4" in text.body


@pytest.mark.parametrize(
    ("money", "expected"),
    [
        ({"amount_minor": 5998, "currency": "EUR"}, "59,98\xa0€"),
        ({"amount_minor": 5998, "currency": "JPY"}, "5.998\xa0¥"),
        ({"amount_minor": 5998, "currency": "KWD"}, "5,998\xa0KWD"),
        ({"amount_minor": -5, "currency": "EUR"}, "-0,05\xa0€"),
    ],
)
def test_money_has_the_minor_digits_of_its_currency(renderer: Renderer, money: dict[str, Any], expected: str) -> None:
    text = renderer.inbox("payment-captured", "de", "UTC", {"order_id": "A-1", "amount": money})
    assert expected in text.body


@pytest.mark.parametrize(
    "amount",
    [None, 5, "5", {}, {"amount_minor": 1.5, "currency": "EUR"}, {"amount_minor": 1, "currency": None}],
)
def test_what_is_no_money_is_an_error_that_names_the_file(renderer: Renderer, amount: object) -> None:
    with pytest.raises(TemplateError, match=r"en/payment-captured/inbox\.txt"):
        renderer.inbox("payment-captured", "en", "UTC", {"order_id": "A-1", "amount": amount})


@pytest.mark.parametrize("value", ["{{7*7}}", "{{''.__class__}}", "{% for x in range(10**9) %}x{% endfor %}", "${7*7}"])
def test_a_value_is_never_a_template(renderer: Renderer, value: str) -> None:
    text = renderer.email("order-cancelled", "en", "UTC", {"order_id": "A-1", "reason": value})
    assert value in text.text


def test_values_are_escaped_in_html_and_plain_in_text(renderer: Renderer) -> None:
    context = {"order_id": "A-1", "reason": "<script>&", "link": 'x" onclick="y', "name": "<b>Z</b>"}
    text = renderer.email("order-cancelled", "en", "UTC", context)
    assert "<script>&" in text.text
    assert "<script>" not in text.html
    assert 'onclick="y' not in text.html
    assert "<b>Z" not in text.html


@pytest.mark.parametrize("breaker", ["\r\n", "\n", "\r", "\0", "\u2028", "\u2029", "\x85", "\x0b", "\ud800"])
def test_a_value_breaks_no_line(renderer: Renderer, breaker: str) -> None:
    value = f"A-1{breaker}Bcc: x@example.com"
    assert "\n" not in renderer.inbox("order-packed", "en", "UTC", {"order_id": value}).body
    subject = renderer.email("order-packed", "en", "UTC", {"order_id": value}).subject
    assert subject == "Your order A-1 Bcc: x@example.com is packed"


def test_a_long_value_is_cut(renderer: Renderer) -> None:
    text = renderer.inbox("order-packed", "en", "UTC", {"order_id": "A" * 100_000})
    assert len(text.body) < 2_100


def test_an_unknown_variable_is_an_error(with_templates: Callable[..., Renderer]) -> None:
    renderer = with_templates(inbox="{{ odrer_id }}")
    with pytest.raises(TemplateError, match="'odrer_id' is undefined"):
        renderer.inbox("mine", "en", "UTC", {"order_id": "A-1"})


@pytest.mark.parametrize(
    "mischief",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ range(10 ** 9) | list }}",
        "{% for a in range(100000) %}x{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ [0] * 1000000000 }}",
        "{{ title.append(1) }}",
        "{% include '../../../etc/passwd' %}",
    ],
)
def test_a_template_cannot_break_out_or_eat_the_machine(with_templates: Callable[..., Renderer], mischief: str) -> None:
    renderer = with_templates(inbox=mischief)
    with pytest.raises(TemplateError):
        renderer.inbox("mine", "en", "UTC", {"title": []})


def test_the_operators_folder_goes_first_file_by_file(tmp_path: Path) -> None:
    own = tmp_path / "en" / "order-packed" / "inbox.txt"
    own.parent.mkdir(parents=True)
    own.write_text("Boxed!\nOrder {{ order_id }}")
    renderer = Renderer(override=tmp_path)
    assert renderer.inbox("order-packed", "en", "UTC", {"order_id": "A-1"}).title == "Boxed!"
    assert "is packed" in renderer.email("order-packed", "en", "UTC", {"order_id": "A-1"}).subject


def test_a_template_that_is_not_there_is_an_error(renderer: Renderer) -> None:
    with pytest.raises(TemplateError, match="no inbox text"):
        renderer.inbox("no-such", "en", "UTC", {})


def test_a_syntax_error_names_the_file(with_templates: Callable[..., Renderer]) -> None:
    with pytest.raises(TemplateError, match=r"en/mine/inbox\.txt"):
        with_templates(inbox="{% if %}").inbox("mine", "en", "UTC", {})


def test_plurals_follow_the_language(with_templates: Callable[..., Renderer]) -> None:
    renderer = with_templates(inbox='{{ n | plural(one="{n} item", other="{n} items") }}')
    assert [renderer.inbox("mine", "en", "UTC", {"n": n}).title for n in (0, 1, 2)] == ["0 items", "1 item", "2 items"]


def test_a_distance_in_time_is_told_from_now(with_templates: Callable[..., Renderer]) -> None:
    renderer = with_templates(inbox="{{ at | relative }}")
    assert renderer.inbox("mine", "en", "UTC", {"at": NOW_MS + 300_000}).title == "in 5 minutes"


@pytest.mark.parametrize("at", ["2026-01-01T12:00:00Z", "2026-01-01T13:00:00+01:00", NOW_MS + 2 * HOUR_MS])
def test_instants_are_unix_ms_or_rfc_3339(with_templates: Callable[..., Renderer], at: object) -> None:
    renderer = with_templates(inbox="{{ at | time }}")
    assert renderer.inbox("mine", "en-GB", "UTC", {"at": at}).title == "12:00"


@pytest.mark.parametrize("at", [10**18, -(10**18), "soon", "2026-01-01T12:00:00", 1.5])
def test_what_is_no_instant_is_an_error(with_templates: Callable[..., Renderer], at: object) -> None:
    with pytest.raises(TemplateError):
        with_templates(inbox="{{ at | when }}").inbox("mine", "en", "UTC", {"at": at})


def test_a_template_without_a_push_text_is_told_in_the_words_of_the_inbox(renderer: Renderer) -> None:
    inbox = renderer.inbox("message", "en", "UTC", MESSAGE)
    push = renderer.push("message", "en", "UTC", MESSAGE)
    assert (push.title, push.body) == (inbox.title, inbox.body)


def test_a_text_message_is_short_lines_without_gaps(renderer: Renderer) -> None:
    sms = renderer.sms("message", "en", "UTC", {"title": "Closed\non Friday ", "body": "Sorry.\r\n\r\nSee you."})
    assert sms.body == "Closed on Friday\nSorry. See you."


def test_a_text_of_its_own_goes_before_the_inbox_and_one_in_the_readers_language_before_both(tmp_path: Path) -> None:
    for name, text in (
        ("en/message/sms.txt", "Short: {{ title }} {{ link }}"),
        ("de/message/inbox.txt", "Titel\nText"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    renderer = Renderer(override=tmp_path)
    context = {**MESSAGE, "link": "https://shop.example/a"}
    assert renderer.sms("message", "en", "UTC", context).body == f"Short: {MESSAGE['title']} https://shop.example/a"
    assert renderer.sms("message", "de", "UTC", context).body == "Titel\nText"
