"""A person's own pages, behind the links of their mails: for everybody, in their language, without a script."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from hub.domain.ids import UserId
from hub.service.person.person_links import PersonLinks
from hub.service.signing import Signer
from hub.store.clock import unix_ms
from tests.browser.demo import Demo
from tests.browser.hub_client import Hub
from tests.browser.pages import RUN_AXE, OpenPage, Scheme

LOOKS: list[tuple[bool, Scheme]] = [(False, "light"), (True, "light"), (True, "dark"), (False, "dark")]
SENT_TIMEOUT_MS = 100_000


@pytest.fixture
def links(demo: Demo) -> PersonLinks:
    """Links as the demonstration signs them."""
    secret = (demo.data_dir / "token-secret").read_text()
    return PersonLinks(Signer(secret), public_url="", clock=unix_ms)


def person(hub: Hub, user: str, locale: str) -> UserId:
    """Make somebody known who reads a language."""
    hub.publish("user.updated", user_id=user, name="Zoë", email=f"{user}@doorbell.example", locale=locale)
    return UserId(user)


def is_fit(page: Page, axe_source: str) -> None:
    """No serious barrier, and nothing to scroll to the side."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.evaluate(axe_source)
    assert page.evaluate(RUN_AXE) == []


@pytest.mark.parametrize("locale", ["de", "ar"])
@pytest.mark.parametrize(("phone", "scheme"), LOOKS)
def test_the_pages_are_fit_for_everybody(
    open_page: OpenPage,
    hub: Hub,
    links: PersonLinks,
    axe_source: str,
    shots: Path,
    *,
    locale: str,
    phone: bool,
    scheme: Scheme,
) -> None:
    user = person(hub, f"reader-{locale}", locale)
    look = f"{locale}-{'phone' if phone else 'desktop'}-{scheme}"
    for name, path in (("preferences", links.preferences(user)), ("unsubscribe", links.unsubscribe(user, "sales"))):
        page = open_page(path, phone=phone, scheme=scheme)
        page.screenshot(path=shots / f"{name}-{look}.png", full_page=True)
        expect(page.locator("html")).to_have_attribute("dir", "rtl" if locale == "ar" else "ltr")
        is_fit(page, axe_source)


def test_a_link_that_is_no_longer_good_says_so(open_page: OpenPage, complaints: list[str], axe_source: str) -> None:
    page = open_page("/p/nonsense", phone=True)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link is no longer good")
    is_fit(page, axe_source)
    # The browser's own word on the status of what it has opened.
    assert all("404" in each for each in complaints)
    complaints.clear()


def test_a_person_chooses_with_the_keyboard_and_finds_it_so_again(
    open_page: OpenPage, hub: Hub, links: PersonLinks
) -> None:
    path = links.preferences(person(hub, "chooser", "en"))
    page = open_page(path, phone=True)
    orders = page.get_by_role("group", name="Orders").get_by_label("Email")
    expect(orders).to_be_checked()
    orders.press("Space")
    page.get_by_role("group", name="Offers and news").get_by_label("Email").press("Space")
    page.get_by_label("Do not disturb me at these times").press("Space")
    page.get_by_label("from").fill("21:15")
    page.get_by_label("Pause everything else").select_option("week")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Your choice is saved.")
    again = open_page(path)
    expect(again.get_by_role("group", name="Orders").get_by_label("Email")).not_to_be_checked()
    expect(again.get_by_role("group", name="Offers and news").get_by_label("Email")).to_be_checked()
    expect(again.get_by_label("from")).to_have_value("21:15")
    expect(again.get_by_label("Pause everything else")).to_have_value("keep")


def test_a_person_unsubscribes_and_agrees_again(open_page: OpenPage, hub: Hub, links: PersonLinks) -> None:
    user = person(hub, "leaver", "en")
    page = open_page(links.preferences(user))
    page.get_by_role("group", name="Offers and news").get_by_label("Email").check()
    page.get_by_role("button", name="Save").click()
    page = open_page(links.unsubscribe(user, "sales"))
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("status")).to_have_text("You get no more offers and news by email.")
    page.get_by_role("link", name="Choose what we write to you about").click()
    offers = page.get_by_role("group", name="Offers and news").get_by_label("Email")
    expect(offers).not_to_be_checked()


@pytest.mark.timeout(180)
def test_a_mail_leads_to_its_readers_preferences(open_page: OpenPage, hub: Hub) -> None:
    order = hub.place_order("mei")
    amount = {"amount_minor": 6400, "currency": "EUR"}
    hub.publish("payment.failed", order_id=order, payment_id=f"P-{order}", amount=amount, reason="Declined")
    outbox = open_page("/outbox")
    mail = outbox.locator(".mail-open", has_text="mei@").filter(has_text=order).first
    mail.click(timeout=SENT_TIMEOUT_MS)
    text = str(hub.mails_to("mei@doorbell.example", about=order)[0]["text"])
    found = re.search(r"http://[^/]+(/p/\S+)", text)
    assert found is not None
    expect(open_page(found[1]).get_by_role("heading", level=1)).to_be_visible()
