"""The page that plays the backend."""

import pytest
from playwright.sync_api import expect

from tests.browser.pages import OpenPage

TYPES = [
    "order.placed",
    "payment.failed",
    "shipment.created",
    "price.changed",
    "stock.replenished",
    "sale.scheduled",
    "user.updated",
]


def test_a_step_of_the_journey_is_answered_with_202_and_leads_to_the_next(open_page: OpenPage) -> None:
    page = open_page("/publish")
    page.get_by_role("button", name="Place the order").click()
    expect(page.locator(".answer")).to_have_attribute("data-status", "202")
    expect(page.locator(".step.next")).to_have_text("Confirm")


@pytest.mark.parametrize("event_type", TYPES)
def test_the_ready_example_is_accepted_as_it_is(open_page: OpenPage, event_type: str) -> None:
    page = open_page("/publish")
    page.locator("#type").select_option(event_type)
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator(".answer")).to_have_attribute("data-status", "202")
    expect(page.locator(".answer-type")).to_have_text(event_type)


def test_a_wrong_field_is_named(open_page: OpenPage, complaints: list[str]) -> None:
    page = open_page("/publish")
    event = page.locator("#event").input_value()
    page.locator("#event").fill(event.replace('"EUR"', '"EURO"'))
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator(".answer")).to_have_attribute("data-status", "400")
    expect(page.locator(".answer-field")).to_contain_text("currency")
    complaints.clear()  # The browser itself reports an answer of 4xx.


def test_what_became_of_an_event_is_told(open_page: OpenPage) -> None:
    page = open_page("/publish")
    publish = page.get_by_role("button", name="Publish", exact=True)
    page.locator("#type").select_option("order.packed")
    publish.click()
    expect(page.locator(".answer-text").first).to_have_text("Parked until its order appears")
    page.locator("#type").select_option("order.placed")
    publish.click()
    expect(page.locator(".answer-text").first).to_have_text("Accepted")
    publish.click()
    expect(page.locator(".answer-text").first).to_have_text("Seen before, nothing happens again")


def test_what_is_not_json_is_not_sent(open_page: OpenPage) -> None:
    page = open_page("/publish")
    page.locator("#event").fill("{")
    expect(page.locator("#event-problem")).to_contain_text("Not JSON yet")
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator("#event")).to_be_focused()
    expect(page.locator(".answer")).to_have_count(0)


def test_control_enter_publishes_from_the_editor(open_page: OpenPage) -> None:
    page = open_page("/publish")
    page.locator("#event").press("Control+Enter")
    expect(page.locator(".answer")).to_have_attribute("data-status", "202")
