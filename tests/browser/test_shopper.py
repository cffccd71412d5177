"""What a shopper sees, live."""

import re
import secrets

import pytest
from playwright.sync_api import Page, expect

from tests.browser.hub_client import Hub
from tests.browser.pages import OpenPage

STEPS = [
    "order.placed",
    "order.confirmed",
    "order.packed",
    "shipment.created",
    "shipment.out_for_delivery",
    "shipment.delivered",
]


def shopper(open_page: OpenPage, hub: Hub, user: str) -> Page:
    """Open the page of a person whose inbox is empty."""
    hub.empty_inbox(user)
    page = open_page(f"/?as={user}")
    expect(page.locator("#connection")).to_have_attribute("data-is", "connected")
    return page


def test_ringing_a_bell_signs_in(open_page: OpenPage) -> None:
    page = open_page("/")
    page.get_by_role("button", name="Ben Okafor").click()
    expect(page.get_by_role("heading", name="Ben Okafor")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_signing_out_leads_back_to_the_bells(open_page: OpenPage, hub: Hub) -> None:
    page = shopper(open_page, hub, "ben")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Who lives here?")).to_be_focused()
    page.reload()
    expect(page.get_by_role("button", name="Ben Okafor")).to_be_visible()


def test_an_order_placed_on_the_publish_page_turns_up_live(open_page: OpenPage, hub: Hub) -> None:
    page = shopper(open_page, hub, "ana")
    publish = open_page("/publish")
    publish.locator("#person").select_option("ana")
    publish.get_by_role("button", name="Place the order").click()
    order = publish.locator("#order-name").inner_text()
    expect(page.locator(".entry", has_text=order)).to_have_count(1)
    expect(page.locator(f".order[data-order='{order}']")).to_contain_text(f"Pedido {order}")


def test_the_order_moves_to_the_door_step_by_step(open_page: OpenPage, hub: Hub) -> None:
    page = shopper(open_page, hub, "mei")
    publish = open_page("/publish")
    publish.locator("#person").select_option("mei")
    order = page.locator(f".order[data-order='{publish.locator('#order-name').inner_text()}']")
    for stage, step in enumerate(STEPS, start=1):
        publish.locator(f".step[data-step='{step}']").click()
        expect(order).to_have_attribute("data-stage", str(stage))
    expect(order).to_have_attribute("data-mood", "done")
    expect(order.locator(".order-now")).to_have_text("Delivered")


def test_the_focus_stays_in_the_list_when_its_end_is_shown(open_page: OpenPage, hub: Hub) -> None:
    hub.empty_inbox("mei")
    for _ in range(6):
        hub.place_order("mei")
    page = open_page("/?as=mei", phone=True)
    expect(page.locator(".entry")).to_have_count(5)
    page.get_by_role("button", name="Show older").press("Enter")
    expect(page.locator(".entry")).to_have_count(6)
    expect(page.locator(".entry-open").last).to_be_focused()


def test_words_longer_than_the_screen_push_nothing_out_of_it(open_page: OpenPage, hub: Hub) -> None:
    hub.empty_inbox("mei")
    page = open_page("/?as=mei", phone=True)
    order, price = f"T-{secrets.token_hex(28)}", {"amount_minor": 123_456_789, "currency": "EUR"}
    goods = {"product_id": "x", "name": "x" * 120, "quantity": 1, "price": price}
    hub.publish("order.placed", order_id=order, customer_id="mei", total=price, items=[goods])
    expect(page.locator(".entry-archive")).to_be_in_viewport(ratio=1)
    card = page.locator(f".order[data-order='{order}']")
    card.locator(".order-total").scroll_into_view_if_needed()
    expect(card.locator(".order-total")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_no_order_is_said_to_be_lacking_before_the_hub_has_answered(open_page: OpenPage, hub: Hub) -> None:
    hub.empty_inbox("mei")
    page = open_page("/")
    page.route_web_socket("**/connection/websocket", lambda _: None)
    page.get_by_role("button", name="Mei Lindqvist").click()
    expect(page.get_by_text("Loading your notifications")).to_be_visible()
    expect(page.get_by_text("No orders on their way")).to_be_hidden()
    page = shopper(open_page, hub, "mei")
    expect(page.get_by_text("No orders on their way")).to_be_visible()


def test_a_delay_shows_with_its_reason_and_the_new_date(open_page: OpenPage, hub: Hub) -> None:
    page = shopper(open_page, hub, "ben")
    order = hub.place_order("ben")
    parcel = {"shipment_id": f"S-{order}", "order_id": order}
    hub.publish("shipment.created", **parcel)
    hub.publish("shipment.delayed", **parcel, new_eta="2032-05-01T10:00:00Z", reason="Snow")
    card = page.locator(f".order[data-order='{order}']")
    expect(card).to_have_attribute("data-mood", "trouble")
    expect(card.locator(".update[data-type='shipment.delayed']")).to_contain_text("Snow")
    expect(card.locator(".order-eta")).to_contain_text("2032")


def test_the_bell_counts_until_everything_is_read(open_page: OpenPage, hub: Hub) -> None:
    page = shopper(open_page, hub, "ben")
    bell = page.locator("#bell")
    expect(bell).to_have_accessible_name("No unread notifications")
    order = hub.place_order("ben")
    hub.publish("order.confirmed", order_id=order)
    expect(bell).to_have_accessible_name("2 unread notifications")
    expect(page).to_have_title(re.compile(r"^\(2\)"))
    page.locator(".entry-open").first.click()
    expect(bell).to_have_accessible_name("1 unread notification")
    page.get_by_role("button", name="Mark all as read").press("Enter")
    expect(page.get_by_role("heading", name="Notifications")).to_be_focused()
    expect(bell).to_have_accessible_name("No unread notifications")


def test_a_second_device_follows_what_the_first_one_reads(open_page: OpenPage, hub: Hub) -> None:
    first = shopper(open_page, hub, "ben")
    second = open_page("/?as=ben", phone=True)
    hub.place_order("ben")
    expect(second.locator("#bell")).to_have_attribute("data-unread", "1")
    first.locator(".entry-open").click()
    expect(second.locator("#bell")).to_have_attribute("data-unread", "0")
    expect(second.locator(".entry.unread")).to_have_count(0)


def test_an_archived_notification_stays_away(open_page: OpenPage, hub: Hub) -> None:
    page = shopper(open_page, hub, "ben")
    hub.place_order("ben")
    page.get_by_role("button", name=re.compile("^Archive")).click()
    expect(page.locator(".entry")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Nobody has rung yet")).to_be_visible()


def test_what_happened_while_the_page_was_closed_is_there_when_it_opens(open_page: OpenPage, hub: Hub) -> None:
    hub.empty_inbox("clara")
    order = hub.place_order("clara")
    hub.publish("order.confirmed", order_id=order)
    page = open_page("/?as=clara")
    expect(page.locator(".entry")).to_have_count(2)
    expect(page.locator(f".order[data-order='{order}']")).to_have_attribute("data-stage", "2")


def test_the_page_speaks_the_shoppers_language(open_page: OpenPage, hub: Hub) -> None:
    german = shopper(open_page, hub, "clara")
    expect(german.get_by_role("heading", name="Mitteilungen")).to_be_visible()
    expect(german.locator("html")).to_have_attribute("lang", "de")
    brazilian = shopper(open_page, hub, "ana")
    expect(brazilian.get_by_role("heading", name="Notificações")).to_be_visible()


def test_the_page_of_an_arabic_reader_runs_from_right_to_left(open_page: OpenPage, hub: Hub) -> None:
    page = shopper(open_page, hub, "layla")
    expect(page.locator("html")).to_have_attribute("lang", "ar")
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    order = hub.place_order("layla")
    hub.publish("shipment.created", shipment_id=f"S-{order}", order_id=order)
    expect(page.get_by_role("heading", name="الإشعارات")).to_be_visible()
    expect(page.get_by_role("heading", name=f"الطلب \u2068{order}\u2069")).to_be_visible()
    expect(page.locator(".entry .entry-title").last).to_contain_text("شكرًا على طلبك")
    assert left_of(page, "#bell") < left_of(page, "#person-name")
    assert left_of(page, ".entry-archive") < left_of(page, ".entry-icon")
    # The names of goods are English: they begin where everything begins all the same.
    expect(page.locator(".order-items")).to_contain_text("Porch lamp")
    assert text_left_of(page, ".order-total") < text_left_of(page, ".order-items")
    assert left_of(page, ".stop:last-child") < left_of(page, ".stop:first-child")


def text_left_of(page: Page, selector: str) -> float:
    """Where the text begins in a box that may be wider."""
    script = (
        "each => { const range = new Range(); range.selectNodeContents(each); return range.getBoundingClientRect().x }"
    )
    return float(page.locator(selector).first.evaluate(script))


def left_of(page: Page, selector: str) -> float:
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["x"]


@pytest.mark.parametrize(
    ("locale", "lang", "words"),
    [("ar-EG", "ar", "من يسكن هنا؟"), ("pt-PT", "pt-BR", "Quem mora aqui?"), ("fr", "en", "Who lives here?")],
)
def test_before_anybody_has_rung_the_page_speaks_the_browsers_language(
    open_page: OpenPage, *, locale: str, lang: str, words: str
) -> None:
    page = open_page("/", locale=locale)
    expect(page.get_by_role("heading", level=1)).to_have_text(words)
    expect(page.locator("html")).to_have_attribute("lang", lang)
    page.get_by_role("button", name="Clara Vogel").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.get_by_role("button", name="Abmelden").click()
    expect(page.locator("html")).to_have_attribute("lang", lang)
    expect(page.get_by_role("button", name="ليلى منصور")).to_contain_text("العربية")


def test_a_price_drop_and_a_sale_reach_everybody(open_page: OpenPage, hub: Hub) -> None:
    page = shopper(open_page, hub, "ben")
    publish = open_page("/publish")
    publish.get_by_role("button", name="Price drops").click()
    expect(page.locator(".price[data-product='porch-lamp'][data-way='down']")).to_contain_text("€59.50")
    publish.get_by_role("button", name="Sale starts").click()
    expect(page.locator("#announcement")).to_contain_text("Winter porch sale is on now")
    page.get_by_role("button", name="Dismiss").press("Enter")
    expect(page.locator("#announcement")).to_be_hidden()
    expect(page.get_by_role("heading", name="Notifications")).to_be_focused()
    publish.get_by_role("button", name="Sale starts").click()
    expect(page.locator("#announcement")).to_be_visible()


def test_the_price_of_before_is_shown_to_who_comes_later(open_page: OpenPage, hub: Hub) -> None:
    price = {"amount_minor": 2000, "currency": "EUR"}
    hub.publish("price.changed", product_id="coir-mat", old=price, new={**price, "amount_minor": 1900})
    page = shopper(open_page, hub, "ben")
    expect(page.locator(".price[data-product='coir-mat']")).to_contain_text("€19.00")
