"""The operator's page: closed without a key, then live."""

import json
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route, expect

from tests.browser.demo import Demo
from tests.browser.hub_client import Hub
from tests.browser.pages import OpenPage

FAILING = {
    "workers": [
        {
            "uid": "w",
            "name": "host:1",
            "version": "1",
            "uptime": 90,
            "channels": ["sms"],
            "providers": [
                {
                    "channel": "sms",
                    "name": "twilio",
                    "state": "failing",
                    "rests_s": 4.2,
                    "calls": {"taken": 1, "refused": 5},
                    "under_way": 0,
                    "per_second": 20.0,
                }
            ],
        }
    ]
}
QUEUE = {
    "now_ms": 1_800_000_000_000,
    "lanes": [{"lane": "critical", "waiting": 1_200, "due": 0, "in_hand": 0, "oldest_due_ms": None}],
}
MISHAP = {
    "at_ms": 1_800_000_000_000,
    "user": "zoe",
    "notification": "n-1",
    "event_type": "payment.failed",
    "channel": "sms",
    "lane": "critical",
    "outcome": "failed",
    "reason": "HTTP 400 <b>bold</b>",
    "tries": 2,
}


def room(open_page: OpenPage, *, phone: bool = False) -> Page:
    """Open the page and get in with the demonstration's key."""
    page = open_page("/ops#demo", phone=phone)
    page.get_by_role("button", name="use its key").click()
    expect(page.get_by_role("heading", name="How delivery is doing")).to_be_focused()
    return page


def contradict(hub: Hub) -> str:
    """Publish something that ends as a dead letter; return the order it is about."""
    order = hub.place_order("ben")
    price = {"amount_minor": 100, "currency": "EUR"}
    lamp = {"product_id": "porch-lamp", "name": "Porch lamp", "quantity": 1, "price": price}
    hub.publish("order.placed", order_id=order, customer_id="mei", total=price, items=[lamp])
    return order


def letter(number: int) -> dict[str, object]:
    """A dead letter as the hub tells it."""
    return {
        "id": f"letter-{number}",
        "at_ms": 1_800_000_000_000 + number,
        "origin": f"http:service:shop/{number:064}/0",
        "field": "total",
        "reason": "is missing",
        "attributes": {},
        "body": "{}",
        "size": 2,
    }


class Pile:
    """Dead letters in place of the hub's, the newest first."""

    def __init__(self, count: int) -> None:
        self.letters = [letter(number) for number in range(count, 0, -1)]

    def answer(self, route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        begin, limit = int(asked.get("cursor", ["0"])[0]), int(asked["limit"][0])
        end = begin + limit
        following = str(end) if end < len(self.letters) else None
        page = {"letters": self.letters[begin:end], "total": len(self.letters), "next_cursor": following}
        route.fulfill(json=page)


def test_nothing_is_shown_without_a_key(open_page: OpenPage, complaints: list[str]) -> None:
    page = open_page("/ops")
    expect(page.get_by_role("heading", name="Operator's page")).to_be_visible()
    expect(page.locator("#room")).to_be_hidden()
    expect(page.get_by_role("button", name="use its key")).to_be_hidden()
    page.get_by_label("Key or token").fill("db_live_nonsense")
    page.get_by_role("button", name="Let me in").click()
    expect(page.get_by_role("alert").first).to_contain_text("does not let this key in")
    expect(page.get_by_label("Key or token")).to_be_focused()
    complaints.clear()  # The browser itself reports an answer of 4xx.


def test_a_shoppers_token_opens_nothing(open_page: OpenPage, hub: Hub, complaints: list[str]) -> None:
    page = open_page("/ops")
    page.get_by_label("Key or token").fill(hub.token({"user": "ben"}))
    page.get_by_label("Key or token").press("Enter")
    expect(page.get_by_role("alert").first).to_contain_text("does not let this key in")
    complaints.clear()


def test_locking_forgets_the_key(open_page: OpenPage) -> None:
    page = room(open_page)
    page.reload()
    expect(page.get_by_role("heading", name="How delivery is doing")).to_be_visible()
    page.get_by_role("button", name="Lock").click()
    page.reload()
    expect(page.get_by_label("Key or token")).to_be_visible()
    expect(page.locator("#room")).to_be_hidden()


def test_every_provider_and_lane_is_shown(open_page: OpenPage) -> None:
    page = room(open_page)
    for name in ("smtp", "fcm", "twilio"):
        expect(page.locator(f".provider[data-provider='{name}']")).to_have_attribute("data-state", "well")
    expect(page.get_by_role("row")).to_have_count(5)
    expect(page.get_by_role("row", name="critical")).to_be_visible()


def test_a_provider_that_begins_to_fail_is_shown_and_said(open_page: OpenPage) -> None:
    page = room(open_page)
    well = json.loads(json.dumps(FAILING))
    well["workers"][0]["providers"][0] |= {"state": "well", "rests_s": 0.0}
    page.route("**/v1/ops/channels", lambda route: route.fulfill(json=well))
    provider = page.locator(".provider")
    expect(provider).to_have_count(1)
    page.unroute("**/v1/ops/channels")
    page.route("**/v1/ops/channels", lambda route: route.fulfill(json=FAILING))
    expect(provider).to_have_attribute("data-state", "failing")
    expect(provider).to_contain_text("Left alone for another 5 s")
    expect(provider).to_contain_text("1 taken, 5 refused (0.1/s)")
    expect(page.locator("#announcer")).to_have_text("twilio of host:1: Failing")


def test_what_has_not_changed_stays_the_same_so_that_it_can_be_selected(open_page: OpenPage) -> None:
    page = room(open_page)
    page.route("**/v1/ops/channels", lambda route: route.fulfill(json=FAILING))
    page.route("**/v1/ops/queue", lambda route: route.fulfill(json=QUEUE))
    expect(page.locator(".provider")).to_have_count(1)
    expect(page.locator("[data-lane]")).to_have_count(1)
    marked = page.locator(".provider, [data-lane]")
    marked.evaluate_all("all => all.forEach(each => (each.title = 'seen'))")
    for _ in range(2):
        with page.expect_response("**/v1/ops/queue"):
            pass
    assert marked.evaluate_all("all => all.map(each => each.title)") == ["seen"] * 2


def test_failures_are_shown_as_text_whatever_is_in_them(open_page: OpenPage) -> None:
    page = room(open_page)
    page.route("**/v1/ops/failures*", lambda route: route.fulfill(json={"failures": [MISHAP]}))
    failure = page.locator(".failure")
    expect(failure).to_contain_text("HTTP 400 <b>bold</b>")
    expect(failure).to_contain_text("sms, payment.failed")
    expect(failure.locator("b")).to_have_count(0)


def test_all_cards_are_as_wide_as_a_phone_lets_them_be(open_page: OpenPage) -> None:
    page = room(open_page, phone=True)
    page.route("**/v1/ops/dead-letters?*", Pile(1).answer)
    expect(page.locator(".letter")).to_have_attribute("data-letter", "letter-1")
    widths = page.locator(".desk .card").evaluate_all("all => all.map(each => each.offsetWidth)")
    assert set(widths) == {390 - 2 * 16}


def test_without_a_worker_it_says_that_nothing_goes_out(open_page: OpenPage) -> None:
    page = room(open_page)
    page.route("**/v1/ops/channels", lambda route: route.fulfill(json={"workers": []}))
    expect(page.get_by_text("No delivery worker runs")).to_be_visible()


def test_a_dead_letter_is_looked_at_tried_again_and_dropped(open_page: OpenPage, hub: Hub) -> None:
    order = contradict(hub)
    page = room(open_page)
    letter = page.locator(".letter", has_text=order)
    letter.locator("summary").click()
    expect(letter.locator("pre")).to_contain_text('"customer_id":"mei"')
    letter.get_by_role("button", name="Try again").click()
    expect(page.locator("#letters-said")).to_contain_text("not done")
    expect(letter).to_have_count(1)
    letter = page.locator(".letter", has_text=order)
    letter.get_by_role("button", name="Drop").click()
    letter.get_by_role("button", name="Drop for good?").click()
    expect(page.locator("#letters-said")).to_contain_text("dropped")
    expect(letter).to_have_count(0)


def test_older_dead_letters_stay_when_new_ones_come(open_page: OpenPage) -> None:
    page = room(open_page)
    pile = Pile(23)
    page.route("**/v1/ops/dead-letters?*", pile.answer)
    letters = page.locator(".letter")
    expect(letters).to_have_count(10)
    page.get_by_role("button", name="Show older").click()
    expect(letters).to_have_count(20)
    pile.letters.insert(0, letter(24))
    expect(letters.first).to_have_attribute("data-letter", "letter-24")
    shown = [each.get_attribute("data-letter") for each in letters.all()]
    assert shown == [f"letter-{number}" for number in range(24, 4, -1)]
    page.get_by_role("button", name="Show older").press("Enter")
    expect(letters).to_have_count(24)
    expect(page.get_by_role("button", name="Show older")).to_be_hidden()
    expect(letters.last.locator("summary")).to_be_focused()


def test_what_one_key_saw_is_gone_before_the_next_one(open_page: OpenPage) -> None:
    page = room(open_page)
    page.route("**/v1/ops/dead-letters?*", Pile(23).answer)
    letters = page.locator(".letter")
    expect(letters).to_have_count(10)
    page.get_by_role("button", name="Show older").click()
    expect(letters).to_have_count(20)
    page.get_by_role("button", name="Lock").click()
    expect(letters).to_have_count(0)
    page.get_by_role("button", name="use its key").click()
    expect(letters).to_have_count(10)
    expect(page.get_by_role("button", name="Show older")).to_be_visible()


def test_texts_that_could_not_be_loaded_are_asked_for_again(open_page: OpenPage, complaints: list[str]) -> None:
    page = open_page("/ops#demo")
    page.route("**/v1/ops/templates", lambda route: route.abort())
    page.get_by_role("button", name="use its key").click()
    expect(page.locator("#problem")).to_contain_text("does not answer")
    page.unroute("**/v1/ops/templates")
    expect(page.locator("#text-preview")).to_be_visible()
    expect(page.locator("#problem")).to_have_text("")
    complaints.clear()


def test_a_key_outlives_a_hub_that_is_away(open_page: OpenPage, complaints: list[str]) -> None:
    page = room(open_page)
    page.route("**/v1/ops/**", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("alert").first).to_contain_text("does not answer")
    page.unroute("**/v1/ops/**")
    page.reload()
    expect(page.get_by_role("heading", name="How delivery is doing")).to_be_visible()
    complaints.clear()


def test_every_text_can_be_looked_at(open_page: OpenPage) -> None:
    page = room(open_page)
    page.get_by_label("Template").select_option("payment-failed")
    page.get_by_role("button", name="Text message").click()
    expect(page.locator("#text-note")).to_contain_text("segment")
    page.get_by_role("button", name="Arabic").click()
    expect(page.locator("#text-note")).to_contain_text("Letters beyond the GSM alphabet")
    page.get_by_role("button", name="Email").click()
    frame = page.frame_locator("#text-html")
    expect(frame.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator("#text-title")).not_to_be_empty()
    page.get_by_role("button", name="German").click()
    expect(frame.locator("html")).to_have_attribute("lang", "de")


def test_the_hub_being_away_is_told_and_what_was_shown_stays(open_page: OpenPage, complaints: list[str]) -> None:
    page = room(open_page)
    expect(page.locator(".provider")).to_have_count(3)
    page.route("**/v1/ops/**", lambda route: route.abort())
    expect(page.locator("#problem")).to_contain_text("does not answer")
    expect(page.locator(".provider")).to_have_count(3)
    page.unroute("**/v1/ops/**")
    expect(page.locator("#problem")).to_have_text("")
    complaints.clear()


def test_the_page_may_run_nothing_but_its_own(open_page: OpenPage, demo: Demo) -> None:
    page = open_page("/ops")
    policy = page.request.get(f"{demo.url}/ops").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
