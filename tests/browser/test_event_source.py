"""A browser's EventSource on the hub: no SDK, and it resumes by itself."""

import secrets

import pytest
from playwright.sync_api import Page

from tests.browser.hub_client import Hub
from tests.browser.line import Line
from tests.browser.pages import OpenPage

FOLLOW = """([token, topic]) => {
    const request = encodeURIComponent(JSON.stringify({ token, subs: { [topic]: {} } }));
    window.source = new EventSource(`/connection/uni_sse?cf_connect=${request}`);
    window.connects = [];
    window.seen = [];
    window.source.onmessage = ({ data }) => {
        const push = JSON.parse(data);
        if (push.connect) {
            window.connects.push(push.connect);
            const missed = push.connect.subs[topic].publications ?? [];
            window.seen.push(...missed.map((publication) => publication.data));
        }
        if (push.pub && push.channel === topic) window.seen.push(push.pub.data);
    };
}"""


@pytest.fixture
def topic() -> str:
    return f"room:{secrets.token_hex(4)}"


def wait(page: Page, condition: str) -> None:
    page.wait_for_function(condition, polling=50)


def test_an_event_source_gets_what_is_published(open_page: OpenPage, hub: Hub, topic: str) -> None:
    page = open_page("/")
    page.evaluate(FOLLOW, [hub.token({"user": "ben"}), topic])
    wait(page, "() => window.connects.length === 1")
    hub.publish_on(topic, {"bid": 1})
    hub.publish_on(topic, {"bid": 2})
    wait(page, "() => window.seen.length === 2")
    assert page.evaluate("() => window.seen") == [{"bid": 1}, {"bid": 2}]
    page.evaluate("() => window.source.close()")


def test_an_event_source_resumes_after_a_cut_without_hole_or_double(
    line: Line, open_page: OpenPage, hub: Hub, topic: str, complaints: list[str]
) -> None:
    page = open_page("/", base=line.url)
    page.evaluate(FOLLOW, [hub.token({"user": "ben"}), topic])
    wait(page, "() => window.connects.length === 1")
    for number in range(3):
        hub.publish_on(topic, number)
    wait(page, "() => window.seen.length === 3")
    line.cut()
    for number in range(3, 6):
        hub.publish_on(topic, number)
    line.mend()
    wait(page, "() => window.connects.length === 2")
    hub.publish_on(topic, 6)
    wait(page, "() => window.seen.length >= 7")
    assert page.evaluate("() => window.seen") == [*range(7)]
    assert page.evaluate(f"() => window.connects[1].subs['{topic}'].recovered") is True
    page.evaluate("() => window.source.close()")
    complaints.clear()  # The browser itself reports each failed try.


def test_an_event_source_with_a_bad_token_does_not_try_for_ever(
    open_page: OpenPage, topic: str, complaints: list[str]
) -> None:
    page = open_page("/")
    page.evaluate(FOLLOW, ["no token", topic])
    wait(page, "() => window.source.readyState === EventSource.CLOSED")
    complaints.clear()  # The browser itself reports the 401.


def test_a_person_whom_a_backend_disconnects_stays_away(open_page: OpenPage, hub: Hub, topic: str) -> None:
    page = open_page("/")
    page.evaluate(FOLLOW, [hub.token({"user": "mei"}), topic])
    wait(page, "() => window.connects.length === 1")
    page.evaluate("""() => {
        window.source.addEventListener("message", ({ data }) => {
            const { disconnect } = JSON.parse(data);
            if (!disconnect) return;
            window.told = disconnect;
            window.source.close();
        });
    }""")
    hub.disconnect("mei", code=4_501, reason="signed out")
    wait(page, "() => window.told !== undefined")
    assert page.evaluate("() => window.told") == {"code": 4_501, "reason": "signed out"}
