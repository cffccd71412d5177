"""A shopper's settings: what may reach them and when, and their devices."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.browser.hub_client import Hub
from tests.browser.pages import RUN_AXE, OpenPage, Scheme

BEN = "+447400123456"
"""His number in the demonstration."""


@pytest.fixture(autouse=True)
def nothing_said(hub: Hub) -> None:
    """Ben has not said anything about what he wants."""
    hub.forget_preferences("ben")


class Answers:
    """The hub's answers to changes of preferences, in a test's hands."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._holding = self._refusing = False
        self._asked: set[int] = set()
        self._held: list[str] = []
        page.route_web_socket("**/connection/websocket", self._connect)

    def hold(self) -> None:
        self._holding = True

    def refuse_the_next(self) -> None:
        self._refusing = True

    def release_the_last_first(self) -> None:
        """Let the answers to all that has been asked go, and all later ones as they come."""
        while not self._held or len(self._held) < len(self._asked):
            self._page.wait_for_timeout(10)
        self._holding = False
        for answer in reversed(self._held):
            self._near.send(answer)

    def _connect(self, near: WebSocketRoute) -> None:
        self._near, self._far = near, near.connect_to_server()
        near.on_message(self._ask)
        self._far.on_message(self._answer)

    def _ask(self, message: str | bytes) -> None:
        lines = []
        for line in str(message).splitlines():
            command = json.loads(line)
            if command.get("rpc", {}).get("method") != "preferences.put":
                lines.append(line)
            elif self._refusing:
                self._refusing = False
                self._near.send(json.dumps({"id": command["id"], "error": {"code": 100, "message": "internal"}}))
            else:
                self._asked.add(command["id"])
                lines.append(line)
        if lines:
            self._far.send("\n".join(lines))

    def _answer(self, message: str | bytes) -> None:
        for line in str(message).splitlines():
            if self._holding and json.loads(line).get("id") in self._asked:
                self._held.append(line)
            else:
                self._near.send(line)


def settings(open_page: OpenPage, *, user: str = "ben", phone: bool = False, scheme: Scheme = "light") -> Page:
    """Open a person's page, and the settings on it."""
    page = open_page(f"/?as={user}", phone=phone, scheme=scheme)
    reopen(page)
    return page


def reopen(page: Page) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-is", "connected")
    page.locator("#open-settings").click()
    expect(page.locator(".devices li").first).to_be_visible()


def switch(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=name, exact=True)


def saved(page: Page) -> None:
    expect(page.locator(".settings-status")).to_have_text("Saved")


def test_everything_is_on_but_news_until_the_person_says_otherwise(open_page: OpenPage) -> None:
    page = settings(open_page)
    for channel in ("push", "text", "email"):
        expect(switch(page, f"Orders by {channel}")).to_be_checked()
        expect(switch(page, f"News and offers by {channel}")).not_to_be_checked()


def test_a_switch_is_kept_and_concerns_only_its_category_and_channel(open_page: OpenPage, hub: Hub) -> None:
    page = settings(open_page)
    switch(page, "Shipping by text").uncheck()
    saved(page)
    expect(switch(page, "Shipping by text")).to_be_focused()
    page.reload()
    reopen(page)
    expect(switch(page, "Shipping by text")).not_to_be_checked()
    expect(switch(page, "Orders by text")).to_be_checked()
    assert hub.preferences("ben")["switches"] == {"shipping": {"sms": False}}


def test_a_yes_to_news_is_kept_with_where_it_was_said_and_to_which_words(open_page: OpenPage, hub: Hub) -> None:
    page = settings(open_page)
    switch(page, "News and offers by email").check()
    saved(page)
    consent = hub.preferences("ben")["consent"]["email"]
    assert (consent["granted"], consent["source"], consent["wording"]) == (True, "settings", "shopper-page-1")
    switch(page, "News and offers by email").uncheck()
    expect(switch(page, "News and offers by email")).not_to_be_checked()
    assert hub.preferences("ben")["consent"]["email"]["granted"] is False


def test_quiet_hours_are_switched_on_changed_and_off(open_page: OpenPage, hub: Hub) -> None:
    page = settings(open_page)
    switch(page, "Leave me alone at night").check()
    expect(page.get_by_label("From")).to_have_value("22:00")
    page.get_by_label("until").fill("06:30")
    page.get_by_label("until").press("Tab")
    saved(page)
    assert hub.preferences("ben")["in_force"] == {
        "quiet_hours": {"start": "22:00", "end": "06:30"},
        "time_zone": "Europe/London",
    }
    switch(page, "Leave me alone at night").uncheck()
    expect(page.get_by_label("From")).to_be_hidden()
    assert hub.preferences("ben")["in_force"]["quiet_hours"] is None


def test_a_time_can_be_typed_while_it_is_being_saved(open_page: OpenPage, hub: Hub) -> None:
    page = settings(open_page)
    switch(page, "Leave me alone at night").check()
    saved(page)
    page.get_by_label("From").focus()
    for key in "0915P":
        page.keyboard.press(key)
        saved(page)
    expect(page.get_by_label("From")).to_have_value("21:15")
    assert hub.preferences("ben")["in_force"]["quiet_hours"]["start"] == "21:15"


def test_an_older_answer_takes_nothing_back(open_page: OpenPage, hub: Hub) -> None:
    page = open_page("/")
    answers = Answers(page)
    page.get_by_role("button", name="Ben Okafor").click()
    reopen(page)
    answers.hold()
    switch(page, "Orders by text").uncheck()
    switch(page, "Shipping by email").uncheck()
    answers.release_the_last_first()
    saved(page)
    expect(switch(page, "Orders by text")).not_to_be_checked()
    expect(switch(page, "Shipping by email")).not_to_be_checked()
    assert hub.preferences("ben")["switches"] == {"orders": {"sms": False}, "shipping": {"email": False}}


def test_what_could_not_be_saved_goes_back_and_is_told(open_page: OpenPage, hub: Hub) -> None:
    page = open_page("/")
    answers = Answers(page)
    page.get_by_role("button", name="Ben Okafor").click()
    reopen(page)
    answers.refuse_the_next()
    # In one go: the second is pressed before the first is answered.
    page.locator("[aria-label='Orders by text'], [aria-label='Shipping by email']").evaluate_all(
        "boxes => boxes.forEach(box => box.click())"
    )
    expect(page.locator(".settings-status")).to_have_text("This could not be saved. Try again in a moment.")
    expect(switch(page, "Orders by text")).to_be_checked()
    expect(switch(page, "Shipping by email")).not_to_be_checked()
    assert hub.preferences("ben")["switches"] == {"shipping": {"email": False}}


def test_who_has_answered_stop_is_told_how_texts_come_again(open_page: OpenPage, hub: Hub) -> None:
    hub.answer_text(BEN, "STOP")
    try:
        page = settings(open_page)
        for category in ("Orders", "News and offers"):
            expect(switch(page, f"{category} by text")).to_be_disabled()
        expect(switch(page, "Orders by email")).to_be_enabled()
        told = page.get_by_text("Answer START to one of them to get them again.")
        expect(told).to_be_visible()
    finally:
        hub.answer_text(BEN, "START")
    page.reload()
    reopen(page)
    expect(switch(page, "Orders by text")).to_be_enabled()
    expect(told).to_be_hidden()


def test_a_snooze_is_begun_and_ended(open_page: OpenPage, hub: Hub) -> None:
    page = settings(open_page)
    page.get_by_role("button", name="8 hours").click()
    expect(page.get_by_text("Snoozed until")).to_be_visible()
    expect(page.get_by_role("button", name="End it now")).to_be_focused()
    assert hub.preferences("ben")["snoozed_until_ms"] > 0
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_role("button", name="8 hours")).to_be_visible()
    assert hub.preferences("ben")["snoozed_until_ms"] == 0


def test_a_device_is_removed(open_page: OpenPage, hub: Hub) -> None:
    hub.register_device("ben", app="Old tablet")
    page = settings(open_page)
    device = page.locator(".device[data-device='Old tablet']")
    device.get_by_role("button", name="Remove Old tablet").click()
    expect(device).to_have_count(0)
    saved(page)
    expect(page.get_by_role("heading", name="Devices")).to_be_focused()
    expect(page.locator(".device[data-device='iPhone 16']")).to_have_count(1)


def test_a_device_with_a_long_name_can_be_removed_on_a_phone(open_page: OpenPage, hub: Hub) -> None:
    name = "Tablet" * 15
    hub.register_device("ben", app=name)
    page = settings(open_page, phone=True)
    remove = page.get_by_role("button", name=f"Remove {name}")
    remove.scroll_into_view_if_needed()
    expect(remove).to_be_in_viewport(ratio=1)
    assert page.locator("#settings").evaluate("each => each.scrollWidth - each.clientWidth") <= 0
    remove.click()
    saved(page)


def test_escape_closes_the_settings_and_leads_back_to_where_they_were_opened(open_page: OpenPage) -> None:
    page = settings(open_page)
    page.keyboard.press("Escape")
    expect(page.locator("#settings")).to_be_hidden()
    expect(page.locator("#open-settings")).to_be_focused()


def test_the_settings_speak_the_shoppers_language(open_page: OpenPage) -> None:
    page = settings(open_page, user="clara")
    expect(page.get_by_role("heading", name="Einstellungen")).to_be_visible()
    expect(switch(page, "Zahlungen per E-Mail")).to_be_checked()


def test_the_settings_of_an_arabic_reader_run_from_right_to_left(open_page: OpenPage, shots: Path) -> None:
    page = settings(open_page, user="layla", phone=True)
    box = switch(page, "المدفوعات عبر رسالة نصية")
    expect(box).to_be_checked()
    knob = "each => Number.parseFloat(getComputedStyle(each, '::before').right)"
    assert box.evaluate(knob) > 10  # Where it is on, the knob is at the end: on the left.
    box.uncheck()
    expect(page.locator(".settings-status")).to_have_text("تم الحفظ")
    assert box.evaluate(knob) < 10
    box.check()
    page.screenshot(path=shots / "settings-layla-phone-light.png")
    assert page.locator("#settings").evaluate("each => each.scrollWidth - each.clientWidth") <= 0


@pytest.mark.parametrize(("phone", "scheme"), [(False, "light"), (False, "dark"), (True, "light"), (True, "dark")])
def test_the_settings_have_no_serious_barrier(
    open_page: OpenPage, axe_source: str, *, phone: bool, scheme: Scheme
) -> None:
    page = settings(open_page, phone=phone, scheme=scheme)
    switch(page, "Leave me alone at night").check()
    saved(page)
    assert page.locator("#settings").evaluate("each => each.scrollWidth - each.clientWidth") <= 0
    page.evaluate(axe_source)
    assert page.evaluate(RUN_AXE) == []
