"""One bad text loses no message: another takes its place, and the mistake is told."""

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from templates.check import render, sample
from templates.renderer import Renderer
from templates.texts import InboxText, TemplateError

BROKEN = {
    "a syntax error": b"{% if %}",
    "a missing variable": b"{{ typo }}",
    "a bad value": b"{{ order_id | money }}",
    "an include of itself": b"{% include 'en/order-packed/inbox.txt' %}{% include 'en/order-packed/email.html' %}",
    "a missing partial": b"{% include 'layouts/no.txt' %}",
    "a missing layout": b"{% extends 'layouts/no.txt' %}",
    "a missing filter": b"{{ order_id | no_such }}",
    "a missing word": b"{{ words.no_such }}",
    "a bad encoding": "Grüße".encode("latin-1"),
    "an attempt to break out": b"{{ ''.__class__ }}",
}
SHIPPED = Renderer()


@pytest.fixture
def with_files(tmp_path: Path) -> Callable[[dict[str, bytes]], Renderer]:
    def make(files: dict[str, bytes]) -> Renderer:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(text)
        return Renderer(override=tmp_path)

    return make


def replaced(file: str) -> float:
    return REGISTRY.get_sample_value("doorbell_texts_replaced_total", {"file": file}) or 0.0


@pytest.mark.parametrize("mistake", BROKEN)
def test_the_built_in_text_takes_the_place_of_one_that_fails(
    with_files: Callable[[dict[str, bytes]], Renderer], mistake: str
) -> None:
    files = [f"en/order-packed/{name}" for name in ("inbox.txt", "email.html", "sms.txt", "push.txt")]
    own = with_files(dict.fromkeys(files, BROKEN[mistake]))
    context = sample(SHIPPED, "order-packed")
    assert own.inbox("order-packed", "en-GB", "UTC", context) == SHIPPED.inbox("order-packed", "en-GB", "UTC", context)
    assert own.email("order-packed", "en", "UTC", context) == SHIPPED.email("order-packed", "en", "UTC", context)
    assert own.sms("order-packed", "en", "UTC", context) == SHIPPED.sms("order-packed", "en", "UTC", context)
    assert own.push("order-packed", "en", "UTC", context) == SHIPPED.push("order-packed", "en", "UTC", context)


@pytest.mark.parametrize("layout", ["layouts/email.html", "layouts/email.txt"])
def test_a_layout_that_fails_costs_no_mail(with_files: Callable[[dict[str, bytes]], Renderer], layout: str) -> None:
    own = with_files({layout: b"{{ typo }}"})
    for locale in own.catalog.locales():
        context = sample(SHIPPED, "order-packed")
        mails = [each.email("order-packed", locale, "UTC", context) for each in (own, SHIPPED)]
        assert mails[0] == mails[1]


def test_a_text_of_ones_own_that_fails_is_told_in_the_language_it_falls_back_to(
    with_files: Callable[[dict[str, bytes]], Renderer],
) -> None:
    own = with_files({"de/mine/inbox.txt": b"Titel\n{{ typo }}", "en/mine/inbox.txt": b"Title\nBody"})
    assert own.inbox("mine", "de-AT", "UTC", {}) == InboxText("Title", "Body")


def test_a_text_for_which_there_is_no_other_is_an_error_that_names_its_own_mistake(
    with_files: Callable[[dict[str, bytes]], Renderer],
) -> None:
    own = with_files({"de/mine/inbox.txt": b"Titel\n{{ typo }}", "en/mine/inbox.txt": b"Title\n\n{{ other }}"})
    with pytest.raises(TemplateError, match=r"de/mine/inbox\.txt:2: UndefinedError: 'typo' is undefined"):
        own.inbox("mine", "de", "UTC", {})


def test_each_time_is_counted(with_files: Callable[[dict[str, bytes]], Renderer]) -> None:
    file = "de/order-packed/inbox.txt"
    own = with_files({file: b"{{ typo }}"})
    before = replaced(file)
    for _ in range(3):
        own.inbox("order-packed", "de", "UTC", sample(SHIPPED, "order-packed"))
    assert replaced(file) == before + 3


def test_a_page_that_fails_is_the_built_in_one(with_files: Callable[[dict[str, bytes]], Renderer]) -> None:
    own = with_files({"pages/layout.html": b"{{ typo }}"})
    gone = {"notice": "gone"}
    assert own.page("notice", "de", "UTC", gone) == SHIPPED.page("notice", "de", "UTC", gone)
    with pytest.raises(TemplateError, match=r"pages/layout\.html:1: "):
        own.exact_page("notice", "de", "UTC", gone)


def test_a_preview_shows_the_mistake_and_not_what_takes_its_place(
    with_files: Callable[[dict[str, bytes]], Renderer],
) -> None:
    own = with_files({"en/order-packed/inbox.txt": b"Title\n{{ typo }}"})
    with pytest.raises(TemplateError, match=r"en/order-packed/inbox\.txt:2: "):
        render(own, "order-packed", channel="inbox", locale="en")
