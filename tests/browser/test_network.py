"""The shopper's page over a network that fails."""

from playwright.sync_api import Route, expect

from hub.domain.ids import UserId
from hub.domain.permission import Role
from hub.service.identity.tokens import mint_token
from hub.settings import Token
from tests.browser.demo import Demo
from tests.browser.hub_client import Hub
from tests.browser.line import Line
from tests.browser.pages import OpenPage


def test_a_cut_line_is_shown_and_what_was_missed_is_caught_up_once(
    line: Line, open_page: OpenPage, hub: Hub, complaints: list[str]
) -> None:
    hub.empty_inbox("ben")
    page = open_page("/?as=ben", base=line.url)
    order = hub.place_order("ben")
    expect(page.locator(".entry")).to_have_count(1)
    line.cut()
    expect(page.locator("#connection")).to_have_attribute("data-is", "offline")
    expect(page.locator("#connection-countdown")).to_contain_text("trying again in")
    hub.publish("order.confirmed", order_id=order)
    hub.publish("order.packed", order_id=order)
    page.get_by_role("button", name="Try now").focus()
    line.mend()
    # The page may be quicker, and then the button is gone.
    page.locator("#retry").dispatch_event("click")
    expect(page.locator("#connection")).to_have_attribute("data-is", "connected")
    expect(page.get_by_role("button", name="Settings")).to_be_focused()
    expect(page.locator("#connection-note")).to_have_text("Back online. Caught up on 2 missed updates.")
    expect(page.locator(".entry")).to_have_count(3)
    expect(page.locator(f".order[data-order='{order}']")).to_have_attribute("data-stage", "3")
    expect(page.locator("#bell")).to_have_attribute("data-unread", "3")
    complaints.clear()  # The browser itself reports each failed try.


def test_a_device_without_network_reconnects_by_itself_and_shows_nothing_twice(
    open_page: OpenPage, hub: Hub, complaints: list[str]
) -> None:
    hub.empty_inbox("mei")
    page = open_page("/?as=mei")
    order = hub.place_order("mei")
    expect(page.locator(".entry")).to_have_count(1)
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_have_attribute("data-is", "offline")
    hub.publish("order.confirmed", order_id=order)
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_have_attribute("data-is", "connected")
    expect(page.locator(".entry")).to_have_count(2)
    hub.publish("order.packed", order_id=order)
    expect(page.locator(".entry")).to_have_count(3)
    complaints.clear()


def test_what_was_read_while_offline_is_told_once_the_line_is_back(
    line: Line, open_page: OpenPage, hub: Hub, complaints: list[str]
) -> None:
    hub.empty_inbox("ben")
    page = open_page("/?as=ben", base=line.url)
    hub.place_order("ben")
    expect(page.locator("#bell")).to_have_attribute("data-unread", "1")
    line.cut()
    expect(page.locator("#connection")).to_have_attribute("data-is", "offline")
    page.locator(".entry-open").click()
    line.mend()
    # The page may be quicker, and then the button is gone.
    page.locator("#retry").dispatch_event("click")
    expect(page.locator("#bell")).to_have_attribute("data-unread", "0")
    complaints.clear()


def test_a_token_that_ends_is_renewed_on_the_same_connection(open_page: OpenPage, hub: Hub, demo: Demo) -> None:
    hub.empty_inbox("ben")
    settings = Token(hmac_secret=(demo.data_dir / "token-secret").read_text())

    def short(route: Route) -> None:
        route.fulfill(json={"token": mint_token(settings, user=UserId("ben"), role=Role.SHOPPER, ttl_s=8)})

    page = open_page("/")
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.route("**/demo/session", short)
    page.get_by_role("button", name="Ben Okafor").click()
    expect(page.locator("#connection")).to_have_attribute("data-is", "connected")
    with page.expect_response("**/demo/session"):
        page.unroute("**/demo/session")
    hub.place_order("ben")
    expect(page.locator(".entry")).to_have_count(1)
    assert len(sockets) == 1
