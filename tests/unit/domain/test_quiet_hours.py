from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from hub.domain.quiet_hours import QuietHours, parse_quiet_hours, quiet_until_ms

NIGHT = QuietHours("22:00", "07:00")
BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str, zone: ZoneInfo = BERLIN, *, fold: int = 0) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp() * 1_000)


@pytest.mark.parametrize("now", ["2026-03-10T22:00", "2026-03-10T23:59", "2026-03-11T00:00", "2026-03-11T06:59:59"])
def test_a_night_is_quiet_until_its_morning(now: str) -> None:
    assert quiet_until_ms(NIGHT, ms(now), BERLIN) == ms("2026-03-11T07:00")


@pytest.mark.parametrize("now", ["2026-03-10T07:00", "2026-03-10T12:00", "2026-03-10T21:59:59"])
def test_the_day_is_not_quiet(now: str) -> None:
    assert quiet_until_ms(NIGHT, ms(now), BERLIN) is None


def test_a_window_within_a_day_ends_on_that_day() -> None:
    assert quiet_until_ms(QuietHours("12:00", "13:30"), ms("2026-03-10T12:45"), BERLIN) == ms("2026-03-10T13:30")


def test_the_same_time_twice_is_never_quiet() -> None:
    assert quiet_until_ms(QuietHours("08:00", "08:00"), ms("2026-03-10T08:00"), BERLIN) is None


def test_the_night_in_which_the_clocks_go_forward_is_an_hour_shorter() -> None:
    evening, morning = ms("2026-03-28T22:00"), ms("2026-03-29T07:00")
    assert quiet_until_ms(NIGHT, evening, BERLIN) == morning
    assert morning - evening == 8 * 3_600_000


def test_the_night_in_which_the_clocks_go_back_is_an_hour_longer() -> None:
    evening, morning = ms("2026-10-24T22:00"), ms("2026-10-25T07:00")
    assert quiet_until_ms(NIGHT, evening, BERLIN) == morning
    assert morning - evening == 10 * 3_600_000


def test_an_end_that_the_clocks_leave_out_is_when_they_change() -> None:
    assert quiet_until_ms(QuietHours("22:00", "02:30"), ms("2026-03-29T01:59"), BERLIN) == ms("2026-03-29T03:00")


def test_an_hour_that_comes_twice_is_quiet_both_times() -> None:
    small_hours = QuietHours("02:00", "03:00")
    first, second = ms("2026-10-25T02:10"), ms("2026-10-25T02:10", fold=1)
    assert second - first == 3_600_000
    assert quiet_until_ms(small_hours, first, BERLIN) == ms("2026-10-25T03:00")
    assert quiet_until_ms(small_hours, second, BERLIN) == ms("2026-10-25T03:00")


def test_a_zone_of_half_an_hour_has_its_own_night() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    now = ms("2026-05-05T18:00", ZoneInfo("UTC"))
    assert quiet_until_ms(NIGHT, now, kolkata) == ms("2026-05-06T01:30", ZoneInfo("UTC"))


def test_a_zone_without_rules_is_as_good() -> None:
    assert quiet_until_ms(NIGHT, ms("2026-05-05T23:00", ZoneInfo("UTC")), UTC) is not None


def test_quiet_hours_are_written_as_two_times_of_day() -> None:
    assert parse_quiet_hours("22:00-07:00") == NIGHT


@pytest.mark.parametrize("text", ["", "22:00", "22-07", "22:00-24:00", "7:00-8:00", "22:00-07:00-09:00"])
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="22:00-07:00"):
        parse_quiet_hours(text)
