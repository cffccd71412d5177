import shutil
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import pytest

from hub.domain.contexts import TEMPLATES
from templates.catalog import BUILT_IN, CHANNEL_FILES, Catalog
from templates.check import check, render, sample
from templates.renderer import Renderer
from templates.texts import EmailText, TemplateError

LOCALES = ("ar", "de", "en", "pt-BR")
_renderer = Renderer()
_VOID = {"meta", "br", "img"}


class _Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_default_rule_has_a_template() -> None:
    assert set(TEMPLATES) <= set(Catalog().templates())


def test_every_template_is_there_in_every_locale() -> None:
    assert Catalog().locales() == LOCALES


@pytest.mark.parametrize("template", Catalog().templates())
def test_it_renders(template: str) -> None:
    for channel, locale in product(CHANNEL_FILES, LOCALES):
        text = render(_renderer, template, channel=channel, locale=locale)
        values = [str(getattr(text, field)) for field in text.__struct_fields__]
        assert all(value.strip() and "None" not in value for value in values), (channel, locale)


def test_nothing_is_wrong_with_the_built_in_templates() -> None:
    assert check(_renderer) == []


@pytest.mark.parametrize("template", Catalog().templates())
def test_a_mails_html_is_whole_and_leads_to_the_shop(template: str) -> None:
    for locale in LOCALES:
        text = render(_renderer, template, channel="email", locale=locale)
        assert isinstance(text, EmailText)
        parser = _Balanced()
        parser.feed(text.html)
        assert parser.open == []
        assert f'lang="{locale}"' in text.html
        assert "https://shop.example/orders/A-1001" in text.html
        assert "https://shop.example/orders/A-1001" in text.text
        assert "<p>" not in text.html


@pytest.mark.parametrize("template", Catalog().templates())
def test_locales_say_different_things(template: str) -> None:
    if template != "message":
        titles = {_renderer.inbox(template, locale, "UTC", sample(_renderer, template)).title for locale in LOCALES}
        assert len(titles) == len(LOCALES)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What a check finds, by file, where every kind of mistake has been made. Of ours, only `message` is there."""
    words = Catalog().words("en").keys() - {"hello", "others_one", "day_at_time"}
    mistakes = {
        "de/mine/inbox.txt": "Titel\n{{ typo }}",
        "samples.toml": '[mine]\norder_id = "A-1"',
        "en/message/inbox.txt": "{{ title }}\n{{ body }} {{ link }}",
        "en/message/sms.txt": "a" * 307,
        "de/message/sms.txt": "a" * 306,
        "en/message/email.html": '<p>{{ title }}</p><a href="http://shop.example">x</a>',
        "ja/message/inbox.txt": "{{ title }}\n{{ body }}",
        "ja/words.toml": "".join(f'{word} = "語"\n' for word in words) + 'day_at_time = "{day} {time}"\n',
        "en/untried/inbox.txt": "Title\nBody",
    }
    folder, shipped = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("shipped")
    shutil.copytree(BUILT_IN / "layouts", shipped / "layouts")
    shutil.copy(BUILT_IN / "samples.toml", shipped)
    shutil.copytree(BUILT_IN / "pages", shipped / "pages")
    shutil.copytree(BUILT_IN / "common" / "message", shipped / "common" / "message")
    for locale in LOCALES:
        (shipped / locale).mkdir()
        shutil.copy(BUILT_IN / locale / "words.toml", shipped / locale)
    for name, text in mistakes.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    problems: dict[str, list[str]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("templates.catalog.BUILT_IN", shipped)
        for finding in check(Renderer(override=folder), sms_segments=2):
            problems.setdefault(finding.file, []).append(finding.problem)
    return problems


def test_a_check_finds_a_wrong_variable(found: dict[str, list[str]]) -> None:
    assert found["de/mine/inbox.txt"] == ["'typo' is undefined for inbox; there are name, order_id, words"]


def test_a_check_finds_a_missing_locale(found: dict[str, list[str]]) -> None:
    assert any(problem.startswith("inbox.txt must be there") for problem in found["en/mine"])


def test_a_check_finds_a_link_where_the_channel_has_none(found: dict[str, list[str]]) -> None:
    assert found["en/message/inbox.txt"] == ["'link' is undefined for inbox; there are body, name, title, words"]


def test_a_check_finds_a_text_message_of_too_many_segments(found: dict[str, list[str]]) -> None:
    assert found["en/message/sms.txt"] == ["takes 3 segments (GSM 7-bit), 2 is the most; write less"]
    assert "de/message/sms.txt" not in found


def test_a_check_finds_a_broken_link_in_a_mail(found: dict[str, list[str]]) -> None:
    assert found["en/message/email.html"] == ["the link http://shop.example is neither {{ link }} nor an https URL"]


def test_a_check_finds_the_words_a_language_lacks_but_not_the_plurals_it_does_not_have(
    found: dict[str, list[str]],
) -> None:
    assert found["ja/words.toml"] == ['hello must be there, or texts mix languages; elsewhere it is "Hello"']


def test_a_check_asks_for_a_sample(found: dict[str, list[str]]) -> None:
    assert found["untried"] == ["there is no sample for it; add a table of its name to samples.toml"]


def test_an_unknown_channel_is_an_error() -> None:
    with pytest.raises(TemplateError, match="there is no channel fax"):
        render(_renderer, "order-placed", channel="fax", locale="en")


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("de/words.toml", "hello = [", "write TOML in UTF-8"),
        ("de/words.toml", "hello = 1", "every word is a text"),
        ("samples.toml", "order-placed = 1", "every sample is a table"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, file: str, text: str, problem: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    with pytest.raises(TemplateError, match=problem) as raised:
        Catalog(override=tmp_path)
    assert raised.value.file.endswith(file)
