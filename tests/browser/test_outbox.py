"""Mails go to those who are not watching, and the outbox shows them."""

import pytest
from playwright.sync_api import expect

from tests.browser.hub_client import Hub
from tests.browser.pages import OpenPage

MAIL_TIMEOUT_MS = 100_000
"""The ladder of a failed payment waits 15 s before it mails, that of the others 60 s."""


def fail_payment(hub: Hub, order: str) -> None:
    """Publish the event whose mail comes soonest."""
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
    expect(mail.first).to_be_visible(timeout=MAIL_TIMEOUT_MS)
    assert hub.mails_to("ben@doorbell.example", about=seen) == []


@pytest.mark.timeout(180)
def test_a_mail_opens_as_html_and_as_text(open_page: OpenPage, hub: Hub) -> None:
    order = hub.place_order("ana")
    fail_payment(hub, order)
    page = open_page("/outbox", phone=True)
    mail = page.locator(".mail-open", has_text="ana@").filter(has_text=order).first
    mail.click(timeout=MAIL_TIMEOUT_MS)
    expect(page.locator("#preview-to")).to_have_text("ana@doorbell.example")
    expect(page.frame_locator("#preview-html").locator("body")).to_contain_text(order)
    page.get_by_role("button", name="Text").click()
    expect(page.locator("#preview-text")).to_contain_text(order)
    page.get_by_role("button", name="All mails").click()
    expect(mail).to_be_focused()
