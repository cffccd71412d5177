from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from hub.domain.answers import Stop
from hub.domain.channels import EMAIL, SMS
from hub.domain.errors import InputError
from hub.domain.events import Consent
from hub.domain.ids import UserId
from hub.domain.preferences import PreferenceChange
from hub.domain.quiet_hours import QuietHours
from hub.service.person.preference_form import NEVER_QUIET, SOURCE, WORDING, Form, change_of, shown
from hub.service.person.preferences import InForce, PreferencesView

NOW_MS = 1_764_842_400_000
DAY_MS = 86_400_000
VIEW = PreferencesView(
    user=UserId("zoe"),
    version=1,
    categories={"orders": {EMAIL: True, SMS: False}, "back-in-stock": {EMAIL: True, SMS: True}},
    switches={},
    channel_order={},
    digest_s={},
    wait_s={},
    quiet_hours=None,
    time_zone=None,
    in_force=InForce(QuietHours("22:00", "07:00"), "Europe/Berlin"),
    snoozed_until_ms=0,
    consent={EMAIL: Consent(granted=True)},
    stopped={},
)


def view(**changes: Any) -> PreferencesView:
    return msgspec.structs.replace(VIEW, **changes)


def as_it_is(of: PreferencesView = VIEW) -> dict[str, list[str]]:
    """What a browser sends of the form when nothing was touched."""
    page = shown(of, now_ms=NOW_MS)
    cells = [cell for row in page["categories"] for cell in row.cells]
    return {
        "cell": [cell.name for cell in cells],
        "on": [cell.name for cell in cells if cell.on],
        "asked": [each.channel for each in page["marketing"]],
        "consent": [each.channel for each in page["marketing"] if each.on],
        "quiet": ["1"] if page["quiet"] else [],
        "quiet_from": [page["quiet_from"]],
        "quiet_until": [page["quiet_until"]],
        "time_zone": [page["own_zone"]],
        "pause": ["keep"],
    }


def change(form: Form, of: PreferencesView = VIEW) -> PreferenceChange:
    return change_of(form, of, now_ms=NOW_MS)


@pytest.mark.parametrize(
    "of",
    [
        VIEW,
        view(in_force=InForce(None, "UTC"), consent={}),
        view(time_zone="Europe/Berlin", snoozed_until_ms=NOW_MS + 1),
        view(stopped={"orders": ("*",)}),
        view(own_stops={SMS: Stop("sms STOP", NOW_MS)}),
    ],
)
def test_a_form_that_is_sent_as_it_was_changes_nothing(of: PreferencesView) -> None:
    assert change(as_it_is(of), of) == PreferenceChange()


def test_a_box_that_was_turned_is_a_switch_of_its_own() -> None:
    form = {**as_it_is(), "on": ["orders/sms", "back-in-stock/email", "back-in-stock/sms"]}
    assert change(form) == PreferenceChange(switches={"orders": {EMAIL: False, SMS: True}})


def test_what_the_form_has_not_asked_about_stays_as_it_is() -> None:
    form = {"cell": ["orders/email"], "on": [], "pause": ["none"]}
    assert change(form) == PreferenceChange(switches={"orders": {EMAIL: False}})


def test_what_an_answer_has_stopped_is_told_not_offered_and_cannot_be_turned_on() -> None:
    own = {SMS: Stop("sms STOP", NOW_MS, "Stop")}
    stopped = view(categories={"orders": {EMAIL: True, SMS: False}}, own_stops=own)
    page = shown(stopped, now_ms=NOW_MS)
    assert [cell.channel for row in page["categories"] for cell in row.cells] == [EMAIL]
    assert [cell.channel for cell in page["marketing"]] == [EMAIL]
    assert page["sms_stop"] == own[SMS]
    assert change({"cell": ["orders/sms"], "on": ["orders/sms"]}, stopped) == PreferenceChange()


def test_what_the_operator_has_stopped_is_not_offered_and_cannot_be_turned_on() -> None:
    stopped = view(categories={"orders": {EMAIL: False, SMS: False}}, stopped={"*": (SMS,), "orders": ()})
    (row,) = shown(stopped, now_ms=NOW_MS)["categories"]
    assert [cell.channel for cell in row.cells] == [EMAIL]
    assert change({"cell": ["orders/sms"], "on": ["orders/sms"]}, stopped) == PreferenceChange()


def test_a_category_without_a_word_has_its_name() -> None:
    assert [row.plain for row in shown(VIEW, now_ms=NOW_MS)["categories"]] == ["Orders", "Back in stock"]


def test_consent_has_its_source_its_wording_and_its_time() -> None:
    said = change({**as_it_is(), "consent": ["sms"]}).consent
    assert {channel: word.granted for channel, word in said.items()} == {EMAIL: False, SMS: True}
    assert {(word.source, word.wording) for word in said.values()} == {(SOURCE, WORDING)}
    assert {word.at for word in said.values()} == {datetime.fromtimestamp(NOW_MS / 1_000, UTC)}


def test_quiet_hours_are_moved_or_given_up() -> None:
    assert change({**as_it_is(), "quiet_from": ["23:30"]}).quiet_hours == QuietHours("23:30", "07:00")
    assert change({**as_it_is(), "quiet": []}).quiet_hours == NEVER_QUIET


def test_who_has_no_quiet_hours_is_offered_usual_ones() -> None:
    noisy = view(in_force=InForce(None, "UTC"))
    assert (shown(noisy, now_ms=NOW_MS)["quiet"], shown(noisy, now_ms=NOW_MS)["quiet_from"]) == (False, "22:00")
    assert change({**as_it_is(noisy), "quiet": ["1"]}, noisy).quiet_hours == QuietHours("22:00", "07:00")


def test_a_time_zone_is_chosen_and_left_to_the_shop_again() -> None:
    assert change({**as_it_is(), "time_zone": ["Asia/Tokyo"]}).time_zone == "Asia/Tokyo"
    assert change({**as_it_is(), "time_zone": [""]}, view(time_zone="Asia/Tokyo")).time_zone is None


@pytest.mark.parametrize(("pause", "days"), [("day", 1), ("week", 7), ("month", 30)])
def test_a_pause_begins_now(pause: str, days: int) -> None:
    assert change({**as_it_is(), "pause": [pause]}).snoozed_until_ms == NOW_MS + days * DAY_MS


def test_a_pause_is_ended_or_kept() -> None:
    paused = view(snoozed_until_ms=NOW_MS + DAY_MS)
    assert shown(paused, now_ms=NOW_MS)["paused_until"] == NOW_MS + DAY_MS
    assert change({**as_it_is(paused), "pause": ["none"]}, paused).snoozed_until_ms == 0
    assert change(as_it_is(paused), paused).snoozed_until_ms is UNSET


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"cell": ["nonsense"]}, "cell"),
        ({"cell": ["orders/pigeon"]}, "cell"),
        ({"quiet_from": ["25:00"]}, "quiet_from"),
        ({"quiet_until": []}, "quiet_from"),
        ({"pause": ["for ever"]}, "pause"),
    ],
)
def test_what_the_page_cannot_have_sent_is_refused(fields: dict[str, list[str]], field: str) -> None:
    with pytest.raises(InputError) as refused:
        change({**as_it_is(), **fields})
    assert refused.value.field == field
