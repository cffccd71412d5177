from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from hub.domain.channels import EMAIL, PUSH, SMS
from hub.domain.errors import InputError
from hub.domain.events import Consent
from hub.domain.ids import EventKey, UserId
from hub.domain.people import Person
from hub.domain.preferences import (
    MAX_CATEGORIES,
    MAX_WORDS,
    Pace,
    PreferenceChange,
    Preferences,
    Wish,
    changed,
    consent_to,
    decode_preferences,
    encode_preferences,
    pace_of,
    preferred_order,
    wish,
)
from hub.domain.quiet_hours import QuietHours

MIA = UserId("mia")
NIGHT = QuietHours("22:00", "07:00")


def at(second: int) -> datetime:
    return datetime(2026, 3, 1, 12, 0, second, tzinfo=UTC)


def after(*changes: PreferenceChange) -> Preferences:
    preferences = Preferences()
    for change in changes:
        preferences = changed(preferences, change)
    return preferences


def told(granted: bool, *, at: datetime | None = None, heard_s: int = 0) -> Person:
    stamp = (0, round(datetime(2026, 3, 1, 12, 0, heard_s, tzinfo=UTC).timestamp() * 1_000), EventKey("e"))
    return Person(MIA, consent={EMAIL: Consent(granted, at)}, stamps={"consent.email": stamp})


def said(granted: bool, second: int) -> Preferences:
    return after(PreferenceChange(consent={EMAIL: Consent(granted, at(second))}))


# Switches


def test_everything_is_on_by_default() -> None:
    assert wish(Preferences(), "orders", EMAIL) == Wish(on=True)


@pytest.mark.parametrize(
    ("switches", "on", "where"),
    [
        ({"orders": {"email": False}}, False, ("orders", "email")),
        ({"orders": {"*": False}}, False, ("orders", "*")),
        ({"*": {"email": False}}, False, ("*", "email")),
        ({"*": {"*": False}}, False, ("*", "*")),
        ({"*": {"*": False}, "orders": {"email": True}}, True, ("orders", "email")),
        ({"*": {"email": True}, "orders": {"email": False}}, False, ("orders", "email")),
        ({"*": {"email": False}, "orders": {"*": True}}, False, ("*", "email")),
        ({"*": {"email": True}, "orders": {"*": False}}, False, ("orders", "*")),
        ({"prices": {"email": False}, "orders": {"sms": False}}, True, None),
    ],
)
def test_the_most_specific_word_decides_and_one_off_is_enough(
    switches: dict[str, dict[Any, bool]], on: bool, where: tuple[str, str] | None
) -> None:
    assert wish(Preferences(switches=switches), "orders", EMAIL) == Wish(on, where)


def test_a_change_leaves_alone_what_it_does_not_name() -> None:
    first = PreferenceChange(switches={"orders": {EMAIL: False, SMS: False}}, quiet_hours=NIGHT)
    second = PreferenceChange(switches={"orders": {SMS: True}, "prices": {EMAIL: False}}, time_zone="Asia/Kolkata")
    assert after(first, second) == Preferences(
        switches={"orders": {EMAIL: False, SMS: True}, "prices": {EMAIL: False}},
        quiet_hours=NIGHT,
        time_zone="Asia/Kolkata",
    )


def test_null_takes_back_what_was_said() -> None:
    first = PreferenceChange(
        switches={"orders": {EMAIL: False}},
        channel_order={"orders": (SMS,)},
        digest_s={"orders": 900},
        wait_s={"orders": 60},
        quiet_hours=NIGHT,
        time_zone="Asia/Kolkata",
        snoozed_until_ms=5,
    )
    second = PreferenceChange(
        switches={"orders": {EMAIL: None}},
        channel_order={"orders": None},
        digest_s={"orders": None},
        wait_s={"orders": None},
        quiet_hours=None,
        time_zone=None,
        snoozed_until_ms=None,
    )
    assert after(first, second) == Preferences()


def test_a_change_with_nothing_new_gives_the_very_same() -> None:
    before = after(PreferenceChange(switches={"orders": {EMAIL: False}}))
    assert changed(before, PreferenceChange(switches={"orders": {EMAIL: False}})) is before


def test_nobody_has_more_categories_than_the_bound() -> None:
    names = {f"c{number}": {EMAIL: False} for number in range(MAX_CATEGORIES + 1)}
    with pytest.raises(InputError, match="switches"):
        after(PreferenceChange(switches=names))


def test_the_order_for_a_category_goes_before_the_one_for_all() -> None:
    preferences = Preferences(channel_order={"*": (SMS, EMAIL), "orders": (PUSH,)})
    assert preferred_order(preferences, "orders") == (PUSH,)
    assert preferred_order(preferences, "prices") == (SMS, EMAIL)
    assert preferred_order(Preferences(), "prices") == ()


@pytest.mark.parametrize(
    ("category", "pace"), [("orders", Pace(0, 60)), ("prices", Pace(3_600, 600)), ("sales", Pace(3_600, 60))]
)
def test_the_pace_for_a_category_goes_before_the_one_for_all(category: str, pace: Pace) -> None:
    said = Preferences(digest_s={"*": 3_600, "orders": 0}, wait_s={"*": 60, "prices": 600})
    assert pace_of(said, category) == pace
    assert pace_of(Preferences(), category) == Pace()


@pytest.mark.parametrize("digest_s", [1, 899])
def test_a_digest_is_none_or_a_quarter_of_an_hour_at_least(digest_s: int) -> None:
    with pytest.raises(InputError, match=r"digest_s\.orders"):
        after(PreferenceChange(digest_s={"orders": digest_s}))


# Consent


def test_without_a_word_there_is_no_consent() -> None:
    assert consent_to(Person(MIA), Preferences(), EMAIL) is None


def test_what_the_shop_was_told_counts_where_nothing_was_said_here() -> None:
    word = consent_to(told(True), Preferences(), EMAIL)
    assert word is not None
    assert word.granted


@pytest.mark.parametrize(
    ("shop", "here", "granted"),
    [
        (told(True, at=at(5)), said(False, 9), False),
        (told(True, at=at(9)), said(False, 5), True),
        (told(False, at=at(9)), said(True, 5), False),
        (told(False, heard_s=9), said(True, 5), False),
        (told(False, heard_s=1), said(True, 5), True),
        (told(True, at=at(5)), said(False, 5), False),
        (told(False, at=at(5)), said(True, 5), False),
    ],
)
def test_the_newest_word_counts_and_of_two_at_once_the_refusal(shop: Person, here: Preferences, granted: bool) -> None:
    word = consent_to(shop, here, EMAIL)
    assert word is not None
    assert word.granted is granted


def test_a_grant_told_again_without_its_time_does_not_undo_a_refusal_made_here() -> None:
    word = consent_to(told(True, heard_s=59), said(False, 5), EMAIL)
    assert word is not None
    assert not word.granted


def test_words_about_consent_are_remembered_up_to_a_bound_and_repeats_only_with_their_first_and_last_time() -> None:
    repeats = [PreferenceChange(consent={EMAIL: Consent(True, at(second))}) for second in range(5)]
    assert [word.at for word in after(*repeats).consent[EMAIL]] == [at(0), at(4)]

    changes = [PreferenceChange(consent={EMAIL: Consent(second % 2 == 0, at(second))}) for second in range(20)]
    words = after(*changes).consent[EMAIL]
    assert len(words) == MAX_WORDS
    assert words[-1] == Consent(False, at(19))


def test_preferences_come_back_from_the_store_as_they_were() -> None:
    preferences = after(
        PreferenceChange(
            switches={"*": {SMS: False}},
            channel_order={"*": (SMS,)},
            digest_s={"*": 900},
            wait_s={"orders": 0},
            quiet_hours=NIGHT,
            snoozed_until_ms=7,
            consent={EMAIL: Consent(True, at(1), "footer", "2026-03")},
        )
    )
    assert decode_preferences(encode_preferences(preferences)) == preferences
    assert encode_preferences(Preferences()) == b"{}"


@pytest.mark.parametrize(
    "bad",
    [
        {"switches": {"Orders": {}}},
        {"switches": {"orders": {"E-Mail": True}}},
        {"quiet_hours": {"start": "9"}},
        {"digest_s": {"orders": 86_401}},
        {"digest_s": {"orders": -1}},
        {"wait_s": {"orders": 86_401}},
        {"wait_s": {"Orders": 60}},
    ],
)
def test_a_change_of_a_bad_form_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(bad, PreferenceChange)
