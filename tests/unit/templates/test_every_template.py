import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hub.domain.contexts import TEMPLATES
from templates.catalog import CHANNEL_FILES, Catalog
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


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("channel", CHANNEL_FILES)
@pytest.mark.parametrize("template", Catalog().templates())
def test_it_renders(template: str, channel: str, locale: str) -> None:
    text = render(_renderer, template, channel=channel, locale=locale)
    assert all(
        value.strip() and "None" not in value for value in map(str, (getattr(text, f) for f in text.__struct_fields__))
    )


def test_nothing_is_wrong_with_the_built_in_templates() -> None:
    assert check(_renderer) == []


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", Catalog().templates())
def test_a_mails_html_is_whole_and_leads_to_the_shop(template: str, locale: str) -> None:
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


def test_a_check_finds_a_missing_locale_and_a_wrong_variable(tmp_path: Path) -> None:
    own = tmp_path / "de" / "mine"
    own.mkdir(parents=True)
    (own / "inbox.txt").write_text("Titel\n{{ typo }}")
    (tmp_path / "samples.toml").write_text("[mine]\norder_id = " + json.dumps("A-1"))
    found = {str(finding) for finding in check(Renderer(override=tmp_path))}
    assert any("'typo' is undefined" in problem for problem in found)
    assert any(problem.startswith("en/mine: inbox.txt must be there") for problem in found)


def test_a_check_finds_a_link_where_the_channel_has_none(tmp_path: Path) -> None:
    (tmp_path / "en" / "message").mkdir(parents=True)
    (tmp_path / "en" / "message" / "inbox.txt").write_text("{{ title }}\n{{ body }} {{ link }}")
    found = {str(finding) for finding in check(Renderer(override=tmp_path))}
    assert "en/message/inbox.txt: 'link' is undefined for inbox" in found


def test_a_check_finds_a_text_message_of_too_many_segments(tmp_path: Path) -> None:
    (tmp_path / "en" / "message").mkdir(parents=True)
    (tmp_path / "en" / "message" / "sms.txt").write_text("a" * 161)
    renderer = Renderer(override=tmp_path)
    found = [str(finding) for finding in check(renderer, sms_segments=1) if finding.file == "en/message"]
    assert found == ["en/message: sms: takes 2 segments (GSM 7-bit), 1 is the most"]
    assert check(renderer, sms_segments=3) == []


def test_a_check_finds_a_broken_link_in_a_mail(tmp_path: Path) -> None:
    (tmp_path / "en" / "message").mkdir(parents=True)
    (tmp_path / "en" / "message" / "email.html").write_text('<p>{{ title }}</p><a href="http://shop.example">x</a>')
    assert [str(finding) for finding in check(Renderer(override=tmp_path))] == [
        "en/message/email.html: the link http://shop.example is neither {{ link }} nor an https URL"
    ]


def test_a_check_finds_the_words_a_language_lacks_but_not_the_plurals_it_does_not_have(tmp_path: Path) -> None:
    words = Catalog().words("en").keys() - {"hello", "others_one"}
    (tmp_path / "ja" / "message").mkdir(parents=True)
    (tmp_path / "ja" / "message" / "inbox.txt").write_text("{{ title }}\n{{ body }}")
    (tmp_path / "ja" / "words.toml").write_text("".join(f'{word} = "語"\n' for word in words))
    found = [finding.problem for finding in check(Renderer(override=tmp_path)) if finding.file == "ja/words.toml"]
    assert found == ["hello must be there, or texts mix languages"]


def test_a_check_asks_for_a_sample(tmp_path: Path) -> None:
    (tmp_path / "en" / "mine").mkdir(parents=True)
    (tmp_path / "en" / "mine" / "inbox.txt").write_text("Title\nBody")
    assert [finding.file for finding in check(Renderer(override=tmp_path))] == ["mine"]


def test_an_unknown_channel_is_an_error() -> None:
    with pytest.raises(TemplateError, match="there is no channel fax"):
        render(_renderer, "order-placed", channel="fax", locale="en")
