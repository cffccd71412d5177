from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from hub.domain.channels import EMAIL, PUSH, SMS, Channel
from hub.domain.events import Consent
from hub.domain.house_rules import Cap, HouseRules
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Lane, Notification, Throttle
from hub.domain.people import Person
from hub.domain.preferences import Preferences
from hub.domain.quiet_hours import QuietHours
from hub.domain.rulings import Allow, Drop, Hold, Listener, Ruling, allowances_of, rule_on

MIA = UserId("mia")
NIGHT = QuietHours("22:00", "07:00")
HOUR_MS = 3_600_000
MIDNIGHT_MS = round(datetime(2026, 3, 11, tzinfo=UTC).timestamp() * 1_000)
NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
NOTIFICATION = Notification(
    id=NotificationId("n-1"),
    user=MIA,
    rule=RuleName("price-drop"),
    event_type="price.changed",
    category="prices",
    lane=Lane.TRANSACTIONAL,
    template=TemplateName("price-drop"),
    context={},
    created_ms=NOON_MS,
)
GRANTED: dict[Channel, tuple[Consent, ...]] = {
    EMAIL: (Consent(True, datetime(2026, 1, 1, tzinfo=UTC), "footer", "v2"),)
}
REFUSED: dict[Channel, tuple[Consent, ...]] = {EMAIL: (Consent(False, datetime(2026, 1, 1, tzinfo=UTC)),)}


def ruling(
    preferences: Preferences | None = None,
    *,
    house: HouseRules | None = None,
    now_ms: int = NOON_MS,
    zone: tzinfo = UTC,
    **fields: Any,
) -> Ruling:
    return rule_on(
        msgspec.structs.replace(NOTIFICATION, **fields),
        EMAIL,
        listener=Listener(Person(MIA), preferences or Preferences(), zone),
        house=house or HouseRules(),
        now_ms=now_ms,
    )


def test_what_nobody_objects_to_is_sent() -> None:
    assert ruling() == Allow("prices by email is on")


def test_what_is_switched_off_is_dropped_and_the_reason_says_where() -> None:
    assert ruling(Preferences(switches={"prices": {EMAIL: False}})) == Drop(
        "the person has switched off prices by email"
    )
    assert ruling(Preferences(switches={"*": {Channel("*"): False}})) == Drop("the person has switched off everything")


def test_what_is_switched_on_by_itself_says_so() -> None:
    assert ruling(Preferences(switches={"prices": {EMAIL: True}})) == Allow(
        "the person has switched on prices by email"
    )


@pytest.mark.parametrize("lane", Lane)
def test_promotion_needs_consent_in_whatever_lane_it_comes(lane: Lane) -> None:
    switched_on = {"marketing": {EMAIL: True}}
    assert ruling(Preferences(switches=switched_on), category="marketing", lane=lane) == Drop(
        "there is no consent to marketing by email"
    )
    assert isinstance(ruling(Preferences(consent=GRANTED), category="marketing", lane=lane), Allow)
    capped = HouseRules(marketing_caps=(Cap(1, 60),))
    about = msgspec.structs.replace(NOTIFICATION, category="marketing", lane=lane)
    assert [each.name for each in allowances_of(about, EMAIL, capped)] == ["marketing"]


@pytest.mark.parametrize("stops", [{"prices": ("email",)}, {"prices": ("*",)}, {"*": ("email",)}, {"*": ("*",)}])
@pytest.mark.parametrize("lane", Lane)
def test_the_operators_stop_holds_for_everything(stops: dict[str, tuple[str, ...]], lane: Lane) -> None:
    wanted = Preferences(switches={"prices": {EMAIL: True}}, consent=GRANTED)
    assert ruling(wanted, house=HouseRules(stops=stops), lane=lane) == Drop("the operator has stopped prices by email")


def test_a_stop_on_one_channel_leaves_the_others_alone() -> None:
    assert isinstance(ruling(house=HouseRules(stops={"prices": ("sms",), "orders": ("email",)})), Allow)


def test_what_is_critical_goes_past_all_preferences() -> None:
    against = Preferences(
        switches={"prices": {EMAIL: False}}, quiet_hours=QuietHours("00:00", "23:59"), snoozed_until_ms=NOON_MS + 1
    )
    assert ruling(against, lane=Lane.CRITICAL) == Allow("it is critical, so preferences are not asked")


# Marketing


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        (Preferences(), Drop("there is no consent to marketing by email")),
        (Preferences(consent=REFUSED), Drop("the person has refused marketing by email")),
        (Preferences(consent=GRANTED), Allow("there is consent to marketing by email, from footer, wording v2")),
        (
            Preferences(consent=GRANTED, switches={"prices": {EMAIL: False}}),
            Drop("the person has switched off prices by email"),
        ),
        (
            Preferences(switches={"prices": {EMAIL: True}}, consent={SMS: GRANTED[EMAIL]}),
            Drop("there is no consent to marketing by email"),
        ),
    ],
)
def test_marketing_needs_consent_for_the_channel_and_no_switch_against_it(
    preferences: Preferences, expected: Ruling
) -> None:
    assert ruling(preferences, lane=Lane.MARKETING) == expected


# When


def test_what_comes_in_quiet_hours_waits_for_their_end() -> None:
    held = ruling(Preferences(quiet_hours=NIGHT), now_ms=MIDNIGHT_MS)
    assert held == Hold("the person has quiet hours", MIDNIGHT_MS + 7 * HOUR_MS)
    assert isinstance(ruling(Preferences(quiet_hours=NIGHT), now_ms=MIDNIGHT_MS + 7 * HOUR_MS), Allow)


def test_quiet_hours_are_those_of_the_persons_own_clock() -> None:
    held = ruling(Preferences(quiet_hours=NIGHT), now_ms=NOON_MS, zone=ZoneInfo("Asia/Tokyo"))
    assert not isinstance(held, Hold)
    held = ruling(Preferences(quiet_hours=NIGHT), now_ms=NOON_MS + 2 * HOUR_MS, zone=ZoneInfo("Asia/Tokyo"))
    assert held == Hold("the person has quiet hours", NOON_MS + 10 * HOUR_MS)


def test_the_quiet_hours_of_the_house_hold_for_who_has_none() -> None:
    house = HouseRules(quiet_hours=NIGHT)
    assert isinstance(ruling(house=house, now_ms=MIDNIGHT_MS), Hold)
    own = Preferences(quiet_hours=QuietHours("00:00", "00:00"))
    assert isinstance(ruling(own, house=house, now_ms=MIDNIGHT_MS), Allow)


def test_a_pause_holds_until_it_ends_and_on_through_quiet_hours_after_it() -> None:
    asked = "the person has asked for a pause"
    assert ruling(Preferences(snoozed_until_ms=NOON_MS + 5)) == Hold(asked, NOON_MS + 5)
    night = Preferences(snoozed_until_ms=NOON_MS + 11 * HOUR_MS, quiet_hours=NIGHT)
    assert ruling(night) == Hold(asked, NOON_MS + 19 * HOUR_MS)
    assert isinstance(ruling(Preferences(snoozed_until_ms=NOON_MS)), Allow)


def test_what_will_have_expired_is_dropped_at_once_for_all_channels() -> None:
    night = Preferences(quiet_hours=NIGHT)
    end_ms = MIDNIGHT_MS + 7 * HOUR_MS
    dropped = ruling(night, now_ms=MIDNIGHT_MS, expires_ms=end_ms)
    assert dropped == Drop("the person has quiet hours, and it will have expired when that is over", ends=True)
    assert isinstance(ruling(night, now_ms=MIDNIGHT_MS, expires_ms=end_ms + 1), Hold)


def test_what_is_switched_off_is_not_held() -> None:
    off = Preferences(quiet_hours=NIGHT, switches={"*": {EMAIL: False}})
    assert isinstance(ruling(off, now_ms=MIDNIGHT_MS), Drop)


# What is counted


def test_most_messages_are_not_counted() -> None:
    assert allowances_of(NOTIFICATION, EMAIL, HouseRules(marketing_caps=(Cap(1, 60),))) == ()


def test_a_throttle_counts_the_notification_whatever_the_channel_and_the_lane() -> None:
    throttled = msgspec.structs.replace(NOTIFICATION, throttle=Throttle("price:p-1", 2, 3_600), lane=Lane.CRITICAL)
    (by_email,) = allowances_of(throttled, EMAIL, HouseRules())
    assert allowances_of(throttled, PUSH, HouseRules()) == (by_email,)
    assert (by_email.member, by_email.caps) == ("n-1", (Cap(2, 3_600),))
    assert by_email.refusal == "2 of price:p-1 have been sent within 1h"


def test_marketing_is_counted_by_message() -> None:
    marketing = msgspec.structs.replace(NOTIFICATION, lane=Lane.MARKETING)
    house = HouseRules(marketing_caps=(Cap(1, 86_400), Cap(3, 604_800)))
    (by_email,), (by_push,) = (allowances_of(marketing, channel, house) for channel in (EMAIL, PUSH))
    assert by_email.name == by_push.name
    assert by_email.member != by_push.member
    assert by_email.caps == house.marketing_caps
