"""The pages are fit for everybody: on a phone, in the dark, with a screen reader."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.demo import Demo
from tests.browser.hub_client import Hub
from tests.browser.pages import RUN_AXE, OpenPage, Scheme

PAGES = ["/", "/?as=clara", "/?as=mei", "/?as=layla", "/publish", "/outbox", "/ops", "/ops#demo"]
LOOKS: list[tuple[bool, Scheme]] = [(False, "light"), (True, "light"), (True, "dark")]
MAIL_TIMEOUT_MS = 60_000


@pytest.fixture(scope="module")
def busy_inbox(demo: Demo) -> None:
    """Clara and Layla have orders of every mood and a long list of notifications; mei has nothing."""
    hub = Hub(demo.port)
    hub.empty_inbox("mei")
    amount = {"amount_minor": 6400, "currency": "EUR"}
    orders = [hub.place_order("clara") for _ in range(4)] + [hub.place_order("layla") for _ in range(3)]
    for order in orders:
        parcel = {"shipment_id": f"S-{order}", "order_id": order}
        hub.publish("order.confirmed", order_id=order)
        hub.publish("payment.captured", order_id=order, payment_id=f"P-{order}", amount=amount)
        hub.publish("shipment.created", **parcel)
        hub.publish("shipment.delayed", **parcel, new_eta="2032-05-01T10:00:00Z", reason="Snow " * 20 + "x" * 120)
    for order in (orders[0], orders[-1]):
        hub.publish("shipment.delivered", shipment_id=f"S-{order}", order_id=order)


def settled(open_page: OpenPage, path: str, *, phone: bool, scheme: Scheme) -> Page:
    """Open a page and wait until it shows what it has."""
    page = open_page(path, phone=phone, scheme=scheme)
    if "as=" in path:
        expect(page.locator("#connection")).to_have_attribute("data-is", "connected")
        expect(page.locator("#inbox-note")).to_be_hidden()
    if "as=clara" in path or "as=layla" in path:
        expect(page.locator(".order-items").first).to_be_visible()
    if path == "/ops#demo":
        page.get_by_role("button", name="use its key").click()
        expect(page.locator(".provider")).to_have_count(3)
        expect(page.locator("#text-preview")).to_be_visible()
    if path == "/outbox":
        page.locator(".mail-open").first.click(timeout=MAIL_TIMEOUT_MS)
    return page


@pytest.mark.usefixtures("busy_inbox")
@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("phone", "scheme"), LOOKS)
def test_no_serious_barrier_and_no_sideways_scrolling(
    open_page: OpenPage, axe_source: str, shots: Path, *, path: str, phone: bool, scheme: Scheme
) -> None:
    page = settled(open_page, path, phone=phone, scheme=scheme)
    name = path.strip("/?").replace("as=", "shopper-").replace("#", "-") or "bells"
    page.screenshot(path=shots / f"{name}-{'phone' if phone else 'desktop'}-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.evaluate(axe_source)
    assert page.evaluate(RUN_AXE) == []


def test_the_pages_run_nothing_that_is_not_their_own(open_page: OpenPage) -> None:
    page = open_page("/")
    policy = page.request.get(page.url).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_everything_can_be_done_with_the_keyboard(open_page: OpenPage, hub: Hub) -> None:
    hub.empty_inbox("ben")
    hub.place_order("ben")
    page = open_page("/")
    page.get_by_role("button", name="Ben Okafor").press("Enter")
    expect(page.get_by_role("heading", level=1, name="Ben Okafor")).to_be_focused()
    page.locator(".entry-open").press("Enter")
    expect(page.locator("#bell")).to_have_attribute("data-unread", "0")
    page.locator(".entry-archive").press("Enter")
    expect(page.locator("#inbox-title")).to_be_focused()
