"""Pushes, texts and mails go to those who are not watching, and the outbox shows them."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.hub_client import Hub
from tests.browser.pages import OpenPage

SENT_TIMEOUT_MS = 100_000
"""The demonstration's ladder of a failed payment: a push after 3 s, a text 6 s later, a mail 6 s after that."""


def fail_payment(hub: Hub, order: str) -> None:
    """Publish the event that is told on every channel."""
    amount = {"amount_minor": 6400, "currency": "EUR"}
    hub.publish("payment.failed", order_id=order, payment_id=f"P-{order}", amount=amount, reason="Declined")


def mail(name: str, *, at_ms: int = 1_800_000_000_000) -> dict[str, object]:
    """A mail as the stand-in of a relay tells it."""
    return {
        "id": name,
        "to": [f"{name}@doorbell.example"],
        "from": "shop@doorbell.example",
        "subject": f"About {name}",
        "text": name,
        "received_ms": at_ms,
    }


def outbox_of(page: Page, *mails: dict[str, object]) -> None:
    """Let the outbox hold these mails and nothing else, and wait until the page shows them."""
    page.unroute_all()
    page.route("**/demo/outbox", lambda route: route.fulfill(json={"messages": mails}))
    page.route("**/demo/outbox/*/html", lambda route: route.fulfill(body="<p>Hello", content_type="text/html"))
    page.route("**/demo/pushes", lambda route: route.fulfill(json={"pushes": []}))
    page.route("**/demo/texts", lambda route: route.fulfill(json={"texts": []}))
    expect(page.locator(".mail-subject")).to_have_text([str(each["subject"]) for each in mails])


def test_the_message_that_was_read_keeps_the_focus_whatever_comes_in_and_moves(open_page: OpenPage) -> None:
    page = open_page("/outbox", phone=True)
    outbox_of(page, mail("ana"), mail("ben"))
    ben = page.get_by_role("button", name="ben@doorbell.example")
    ben.click()
    expect(page.locator("#preview-subject")).to_be_focused()
    page.get_by_role("button", name="All messages").press("Enter")
    expect(ben).to_be_focused()
    outbox_of(page, mail("zoe", at_ms=1_800_000_000_001), mail("ben"), mail("ana"), mail("mei"))
    expect(ben).to_be_focused()
    outbox_of(page, mail("mei"), mail("ana"), mail("ben"))
    expect(ben).to_be_focused()


def test_a_subject_in_arabic_begins_on_the_right(open_page: OpenPage) -> None:
    page = open_page("/outbox")
    outbox_of(page, {**mail("layla"), "subject": "تم تأكيد طلبك A-1001"}, mail("ben"))
    directions = page.locator(".mail-subject").evaluate_all("all => all.map(each => getComputedStyle(each).direction)")
    assert directions == ["rtl", "ltr"]
    page.get_by_role("button", name="layla@doorbell.example").click()
    expect(page.locator("#preview-subject")).to_have_css("direction", "rtl")


def test_who_has_read_a_message_that_left_the_list_is_led_to_its_heading(open_page: OpenPage) -> None:
    page = open_page("/outbox", phone=True)
    outbox_of(page, mail("ana"), mail("ben"))
    page.get_by_role("button", name="ben@doorbell.example").click()
    outbox_of(page, mail("ana"))
    page.get_by_role("button", name="All messages").press("Enter")
    expect(page.get_by_role("heading", name="What went out")).to_be_focused()


def test_an_outbox_that_cannot_be_read_is_not_said_to_be_empty(open_page: OpenPage, complaints: list[str]) -> None:
    page = open_page("/outbox")
    page.route("**/demo/**", lambda route: route.abort())
    page.reload()
    expect(page.locator("#outbox-problem")).to_contain_text("does not answer")
    expect(page.get_by_text("The postman has nothing to do")).to_be_hidden()
    complaints.clear()  # The browser itself reports what does not come.


@pytest.mark.timeout(180)
def test_a_mail_goes_to_who_is_away_and_none_to_who_watches(open_page: OpenPage, hub: Hub) -> None:
    hub.empty_inbox("ben")
    watching = open_page("/?as=ben")
    seen, unseen = hub.place_order("ben"), hub.place_order("clara")
    expect(watching.locator(".entry", has_text=seen)).to_have_count(1)
    fail_payment(hub, seen)
    fail_payment(hub, unseen)
    outbox = open_page("/outbox")
    told = outbox.locator(".mail", has_text="clara@").filter(has_text=unseen)
    expect(told.first).to_be_visible(timeout=SENT_TIMEOUT_MS)
    assert hub.mails_to("ben@doorbell.example", about=seen) == []


@pytest.mark.timeout(180)
def test_a_mail_opens_as_html_and_as_text(open_page: OpenPage, hub: Hub) -> None:
    order = hub.place_order("ana")
    fail_payment(hub, order)
    page = open_page("/outbox", phone=True)
    page.locator(".mail-open", has_text="ana@").filter(has_text=order).first.click(timeout=SENT_TIMEOUT_MS)
    # Another mail about the order may come in above it.
    opened = page.locator(".mail-open[aria-current='true']").element_handle()
    expect(page.locator("#preview-to")).to_have_text("ana@doorbell.example")
    expect(page.frame_locator("#preview-html").locator("body")).to_contain_text(order)
    page.get_by_role("button", name="Text", exact=True).click()
    expect(page.locator("#preview-text")).to_contain_text(order)
    page.get_by_role("button", name="All messages").click()
    assert opened.evaluate("each => each === document.activeElement")


@pytest.mark.timeout(180)
def test_a_push_and_then_a_text_go_out_before_the_mail(open_page: OpenPage, hub: Hub) -> None:
    order = hub.place_order("mei")
    fail_payment(hub, order)
    page = open_page("/outbox")
    page.get_by_role("button", name="Pushes").click()
    push = page.locator(".mail", has_text="Mei Lindqvist").first
    push.get_by_role("button", name="Push to Mei Lindqvist").click(timeout=SENT_TIMEOUT_MS)
    expect(page.locator("#preview-from")).to_have_text("Galaxy S25")
    expect(page.locator("#preview-link")).to_contain_text("/orders/")
    expect(page.locator("#phone-title")).to_have_text("Your payment did not go through")
    page.get_by_role("button", name="Texts", exact=True).click()
    text = page.locator(".mail", has_text=order)
    expect(text).to_have_count(1, timeout=SENT_TIMEOUT_MS)
    expect(page.locator(".mail[data-kind='push']")).to_have_count(0)
    text.get_by_role("button").click()
    expect(page.locator("#preview-to")).to_have_text("+12025550143")
    expect(page.locator("#phone-text")).to_contain_text(f"/orders/{order}")
