"""Pushes, texts and mails go to those who are not watching, and the outbox shows them."""

import pytest
from playwright.sync_api import expect

from tests.browser.hub_client import Hub
from tests.browser.pages import OpenPage

SENT_TIMEOUT_MS = 100_000
"""The demonstration's ladder of a failed payment: a push after 3 s, a text 6 s later, a mail 6 s after that."""


def fail_payment(hub: Hub, order: str) -> None:
    """Publish the event that is told on every channel."""
    amount = {"amount_minor": 6400, "currency": "EUR"}
    hub.publish("payment.failed", order_id=order, payment_id=f"P-{order}", amount=amount, reason="Declined")


@pytest.mark.timeout(180)
def test_a_mail_goes_to_who_is_away_and_none_to_who_watches(open_page: OpenPage, hub: Hub) -> None:
    hub.empty_inbox("ben")
    watching = open_page("/?as=ben")
    seen, unseen = hub.place_order("ben"), hub.place_order("clara")
    expect(watching.locator(".entry", has_text=seen)).to_have_count(1)
    fail_payment(hub, seen)
    fail_payment(hub, unseen)
    outbox = open_page("/outbox")
    mail = outbox.locator(".mail", has_text="clara@").filter(has_text=unseen)
    expect(mail.first).to_be_visible(timeout=SENT_TIMEOUT_MS)
    assert hub.mails_to("ben@doorbell.example", about=seen) == []


@pytest.mark.timeout(180)
def test_a_mail_opens_as_html_and_as_text(open_page: OpenPage, hub: Hub) -> None:
    order = hub.place_order("ana")
    fail_payment(hub, order)
    page = open_page("/outbox", phone=True)
    mail = page.locator(".mail-open", has_text="ana@").filter(has_text=order).first
    mail.click(timeout=SENT_TIMEOUT_MS)
    expect(page.locator("#preview-to")).to_have_text("ana@doorbell.example")
    expect(page.frame_locator("#preview-html").locator("body")).to_contain_text(order)
    page.get_by_role("button", name="Text", exact=True).click()
    expect(page.locator("#preview-text")).to_contain_text(order)
    page.get_by_role("button", name="All messages").click()
    expect(mail).to_be_focused()


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
