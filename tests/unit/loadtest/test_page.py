"""The report's page, made from records written by hand."""

import re
from html.parser import HTMLParser
from typing import Any

from loadtest.measure import Figure, as_json
from loadtest.report.page import number, page, reconnect_curves, summed
from loadtest.report.plot import Plot, figure, stretches, thinned

FIGURES = [
    Figure("connect", "resident memory per connection", 7.5, "KB", budget=8, reach=6),
    Figure("broadcast", "broadcast to all, p50", 310, "ms", budget=300, reach=170),
    Figure("storm", "all back <b>and</b> recovered", 20, "s", budget=60, reach=30),
]
TIMELINE: dict[str, Any] = {
    "marks": [["connect", 0.0, 5.0], ["storm", 5.0, 9.0]],
    "connections": [[second, 100 if second != 6 else 10] for second in range(10)],
    "deliveries": [[1, 50.0], [2, 100.0]],
    "latency": {"broadcast": [[3, 100.0, 900.0, 100]]},
    "cpu": {"serve.0": [[1.0, 0.5]], "serve.1": [[1.1, 0.25]], "redis": [[1.0, 0.1]]},
    "memory": {"serve.0": [[1.0, 100.0]]},
}
RECORD: dict[str, Any] = {
    "at": "now",
    "machine": {"python": "3.11", "system": "Linux", "cores": 2},
    "target": "Doorbell",
    "plan": {"clients": 100_000},
    "figures": as_json(FIGURES),
    "timeline": TIMELINE,
}


class Tags(HTMLParser):
    """Fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing() -> None:
    text = page(RECORD)
    assert Tags(text).open == []
    assert not re.findall(r"(?:src|href|url\()", text)


def test_the_page_says_which_budgets_are_kept_missed_and_surpassed() -> None:
    text = page(RECORD)
    assert "2 budgets kept" in text
    assert "1 missed" in text
    assert re.findall(r'<td class="\w+">(kept|missed|reached)</td>', text)[:3] == ["kept", "missed", "reached"]


def test_names_are_escaped() -> None:
    assert "all back &lt;b&gt;and&lt;/b&gt; recovered" in page(RECORD)


def test_benchmarks_without_a_timeline_have_a_table_only() -> None:
    text = page({"machine": {"python": "3", "system": "Linux"}, "figures": as_json(FIGURES), "timeline": {}})
    assert "<svg" not in text
    assert Tags(text).open == []


def test_the_curve_of_coming_back_begins_with_the_loss() -> None:
    assert reconnect_curves(TIMELINE) == {"storm": [(0.0, 100), (1.0, 10), (2.0, 100), (3.0, 100), (4.0, 100)]}


def test_the_processes_of_a_role_are_added_up() -> None:
    assert summed(TIMELINE["cpu"]) == {"serve": [(1, 0.75)], "redis": [(1, 0.1)]}
    assert summed({"serve.0": [[0.6, 1.0], [1.4, 2.0]]}) == {"serve": [(1, 2.0)]}


def test_a_long_line_is_thinned_but_keeps_its_peak() -> None:
    line = [(at, 1.0 if at != 777 else 9.0) for at in range(2_000)]
    thin = thinned(line, most=100)
    assert len(thin) <= 100
    assert (777, 9.0) in thin


def test_a_line_is_not_drawn_across_a_gap() -> None:
    assert [len(each) for each in stretches([(0, 1), (1, 1), (50, 1)], gap=15)] == [2, 1]


def test_a_plot_without_points_is_left_out() -> None:
    assert figure(Plot("Nothing", "ms", {"none": []})) == ""


def test_figures_have_as_many_digits_as_they_deserve() -> None:
    assert [number(each) for each in (3, 1234.5, 12.34, 1.234)] == ["3", "1,234", "12.3", "1.23"]
