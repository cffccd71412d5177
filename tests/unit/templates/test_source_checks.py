import pytest

from templates.sandbox import Sandbox
from templates.source_checks import broken_links, unknown_variables


@pytest.mark.parametrize(
    "source",
    [
        '<a href="{{ link }}">x</a>',
        "<a href='{{- link -}}'>x</a>",
        '<a href="https://shop.example/help?id={{ order_id }}">x</a>',
        '<a href="mailto:help@shop.example">x</a>',
        '<a href="tel:+4930123456">x</a>',
        "See https://shop.example/help.",
        "{{ link }}",
    ],
)
def test_a_link_to_the_shop_is_fine(source: str) -> None:
    assert list(broken_links(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        '<a href="">x</a>',
        "<a href=''>x</a>",
        "<a href= >x</a>",
        '<a href="#">x</a>',
        '<a href="http://shop.example">x</a>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href="/orders">x</a>',
        '<a href="{{ reason }}">x</a>',
        '<a href="https://{{ reason }}">x</a>',
        "<a HREF=http://shop.example>x</a>",
        "See http://shop.example.",
        "See https:///orders.",
        "See https://{{ reason }}.",
    ],
)
def test_a_link_that_leads_nowhere_or_anywhere_is_found(source: str) -> None:
    assert len(list(broken_links(source))) == 1


def test_a_variable_in_a_branch_that_samples_do_not_take_is_found() -> None:
    source = "{% if reason %}{% else %}{{ typo }}{% endif %}{% set own = 1 %}{{ own }}"
    environment = Sandbox(loader=None)  # type: ignore[arg-type]  # Nothing is loaded.
    assert unknown_variables(source, environment=environment, known={"reason"}) == [(1, "typo")]
