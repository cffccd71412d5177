"""Whatever a value holds, a mail and a page keep their shape: no tag, attribute, line, header or link comes from it."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.email.headers import names
from hub.domain.channels import EMAIL, PUSH
from templates.page_checks import SAMPLES
from templates.renderer import Renderer
from tests.property.test_hostile_texts import LOCALES, TEMPLATES, hostile, is_harmless
from tests.unit.channels.email.test_mail_links import ZOE, World, notification

FEW = settings(max_examples=max(8, settings().max_examples // 4))
SHOP = "https://shop.example/"
_renderer = Renderer(clock=lambda: 1_767_261_600_000)
_world = World("https://hub.example")
_HONEST = "honest"
HOSTILE = (
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    '</a><a href="https://evil.example/">click</a>',
    "<!-- </p></td>",
    "</title><base href=//evil.example>",
    "javascript:alert(1)",
    "{{7*7}}{% include 'x' %}",
    "\r\nBcc: all@evil.example\r\n\r\n<b>",
    "--=_alternative--\r\n",
    "\u202e\u2066\u2028\x00\x1b[31m\ud800",
    "&lt;script&gt;&#34;",
)


class _Shape(HTMLParser):
    """The tags of a document with the names of their attributes, its comments, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.links: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action"}]

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(("/", tag))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.tags.append(("declaration", decl))

    def unknown_decl(self, data: str) -> None:
        self.tags.append(("unknown", data))


def in_each(strategy: Any, test: Any) -> Any:
    """Try all the hostile values besides the generated ones."""
    for value in HOSTILE:
        test = example(value, "en")(test)
    return FEW(given(strategy, LOCALES)(test))


def written(template: str, value: str, locale: str) -> tuple[str, str, str]:
    context = {**_context(template, value), "link": SHOP, "preferences_link": SHOP, "unsubscribe_link": SHOP}
    mail = _renderer.email(template, locale, "UTC", {**context, "shop": value})
    return mail.subject, mail.text, mail.html


def _context(template: str, value: str) -> dict[str, Any]:
    """Return a context with the value in every place but the links, which the hub makes."""
    context = hostile(template, value)
    if "updates" in context:
        context["updates"] = [{**each, "link": "https://hub.example/c/token"} for each in context["updates"]]
    return context


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_mail_keeps_its_tags_its_lines_and_where_it_leads(template: str) -> None:
    def holds(value: str, locale: str) -> None:
        subject, text, html = written(template, value, locale)
        honest_subject, honest_text, honest_html = written(template, _HONEST, locale)
        shape, honest = _Shape(html), _Shape(honest_html)
        assert is_harmless(subject)
        assert "\n" not in subject
        assert honest_subject
        assert is_harmless(text.replace("\n", ""))
        # A line that holds nothing but a blank value may go.
        assert text.count("\n") <= honest_text.count("\n")
        assert shape.tags == honest.tags
        assert shape.links == honest.links

    in_each(st.text(min_size=1, max_size=100), holds)()


@pytest.mark.parametrize("template", ["message", "digest", "order-cancelled"])
def test_a_mail_on_its_way_has_the_headers_and_parts_it_should_have(template: str) -> None:
    def holds(value: str, locale: str) -> None:
        raw, honest = (
            _world.channel.mail(notification("n1", template, _context(template, each)), ZOE, address="zoe@mail.example")
            for each in (value, _HONEST)
        )
        heads = [each.message.partition(b"\r\n\r\n")[0] + b"\r\n" for each in (raw, honest)]
        assert list(names(heads[0])) == list(names(heads[1]))
        mail = message_from_bytes(raw.message, EmailMessage, policy=policy.default)
        assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
        html = mail.get_body(("html",))
        assert html is not None
        assert all(link.startswith("https://hub.example/") for link in _Shape(str(html.get_content())).links)

    in_each(st.text(min_size=1, max_size=100), holds)()


@pytest.mark.parametrize("channel", [EMAIL, PUSH])
def test_a_link_leads_to_the_shop_or_nowhere(channel: Any) -> None:
    def holds(value: str, _: str) -> None:
        for link in (value, f"/{value}", f"//{value}", f"https://shop.example{value}", f"https://{value}"):
            told = replace(notification("n1", "message", {}), link=link)
            made = _world.clicks.tracked(told, channel)
            followed = _world.clicks.read(made.removeprefix("https://hub.example/c/"))
            assert followed is None or followed.target.startswith((SHOP, "https://pay.example/"))
            assert followed is not None or made.startswith(SHOP)

    in_each(st.text(min_size=1, max_size=60), holds)()


@pytest.mark.parametrize("name", ["preferences", "unsubscribe"])
def test_a_page_keeps_its_tags(name: str) -> None:
    def holds(value: str, locale: str) -> None:
        for state in SAMPLES[name]:
            pages = [_renderer.page(name, locale, "UTC", _filled(state, each)) for each in (value, _HONEST)]
            assert _Shape(pages[0]).tags == _Shape(pages[1]).tags

    in_each(st.text(min_size=1, max_size=60), holds)()


def _filled(state: Any, value: str) -> Any:
    """Return the variables of a page with every text in them replaced, but for times, which the hub makes."""
    if isinstance(state, dict):
        return {key: each if key.startswith("quiet_") else _filled(each, value) for key, each in state.items()}
    if isinstance(state, tuple):
        return tuple(_filled(each, value) for each in state)
    return value if isinstance(state, str) else state
