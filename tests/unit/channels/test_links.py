import pytest

from channels.links import in_html, in_text

SHOP = "https://shop.example/"


def through_hub(url: str) -> str:
    return f"https://hub.example/c?{url}" if url.startswith(SHOP) else url


def as_it_is(url: str) -> str:
    return url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("See https://shop.example/a.", "https://shop.example/a"),
        ("(https://shop.example/a)", "https://shop.example/a"),
        ("https://shop.example/a_(b), and", "https://shop.example/a_(b)"),
        ("<https://shop.example/a?b=1&c=2>", "https://shop.example/a?b=1&c=2"),
        ('"https://shop.example/a"', "https://shop.example/a"),
        ("\u2068https://shop.example/a\u2069", "https://shop.example/a"),
        ("https://shop.example/a\nhttps://other.example/b", "https://shop.example/a"),
        ("Really?! https://shop.example/a?!", "https://shop.example/a"),
    ],
)
def test_a_url_in_plain_text_is_changed_and_what_stands_around_it_is_not(text: str, url: str) -> None:
    assert in_text(text, through_hub) == text.replace(url, through_hub(url))


@pytest.mark.parametrize(
    "text", ["", "no link", "https://", "https://)", "mailto:a@b.example", "https://other.example/"]
)
def test_what_is_no_url_to_change_stays(text: str) -> None:
    assert in_text(text, through_hub) == text
    assert in_html(text, through_hub, label=as_it_is) == text


@pytest.mark.parametrize(
    ("html", "changed"),
    [
        (
            '<a class="x" href="https://shop.example/a?b=1&amp;c=2">x</a>',
            '<a class="x" href="https://hub.example/c?https://shop.example/a?b=1&amp;c=2">x</a>',
        ),
        ("<a href='https://shop.example/'>x</a>", '<a href="https://hub.example/c?https://shop.example/">x</a>'),
        ("<A HREF=https://shop.example/>x</A>", '<A HREF="https://hub.example/c?https://shop.example/">x</A>'),
        (
            '<a href="https://shop.example/">https://shop.example/</a>',
            '<a href="https://hub.example/c?https://shop.example/">https://shop.example/</a>',
        ),
        (
            "<p>See https://shop.example/?a=1&amp;b=2.</p>",
            (
                '<p>See <a href="https://hub.example/c?https://shop.example/?a=1&amp;b=2" style="color:inherit">'
                "https://shop.example/?a=1&amp;b=2</a>.</p>"
            ),
        ),
        (
            "<p>&lt;https://shop.example/&gt;</p>",
            (
                '<p>&lt;<a href="https://hub.example/c?https://shop.example/" style="color:inherit">'
                "https://shop.example/</a>&gt;</p>"
            ),
        ),
    ],
)
def test_the_links_of_html_are_changed_and_bare_ones_become_links(html: str, changed: str) -> None:
    assert in_html(html, through_hub, label=as_it_is) == changed


@pytest.mark.parametrize(
    "html",
    [
        "<title>https://shop.example/</title>",
        "<style>a { background: url(https://shop.example/a.png) }</style>",
        "<!-- don't: https://shop.example/ -->",
        '<img src="https://shop.example/a.png" alt="https://shop.example/">',
        '<a href="mailto:help@shop.example">x</a>',
        "<p>https://other.example/&lt;b&gt;</p>",
        "<p>1 < 2</p>",
    ],
)
def test_what_is_no_link_to_follow_stays(html: str) -> None:
    assert in_html(html, through_hub, label=as_it_is) == html


def test_markup_in_a_value_stays_text() -> None:
    html = "<p>https://shop.example/&#34;&gt;&lt;script&gt;</p>"
    assert in_html(html, through_hub, label=as_it_is).endswith("</a>&quot;&gt;&lt;script&gt;</p>")


def test_a_link_that_was_changed_before_is_written_out_by_its_label() -> None:
    changed = in_html("<p>https://hub.example/c/x</p>", as_it_is, label=lambda _: SHOP)
    assert changed == '<p><a href="https://hub.example/c/x" style="color:inherit">https://shop.example/</a></p>'
