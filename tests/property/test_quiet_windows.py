"""Quiet hours in every time zone there is, held against a clock that is looked at minute by minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from hub.domain.quiet_hours import QuietHours, quiet_until_ms

MINUTE_MS = 60_000
LONGEST = 27 * 60
"""Minutes: a day in which the clocks go back by the most they do, and some more."""
CHANGES = [
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 4, 5, tzinfo=UTC),
    datetime(2026, 9, 6, tzinfo=UTC),
    datetime(2026, 10, 4, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
]
"""Days on which clocks change somewhere."""

times_of_day = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 45, 59]))
windows = st.builds(QuietHours, times_of_day, times_of_day)
zones = st.builds(ZoneInfo, st.sampled_from(sorted(available_timezones() - {"localtime"})))
instants = st.builds(
    lambda day, minutes, ms: round((day + timedelta(minutes=minutes)).timestamp() * 1_000) + ms,
    st.sampled_from(CHANGES) | st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis wants naive bounds.
    st.integers(-36 * 60, 36 * 60),
    st.integers(0, 59_999),
)


def is_quiet(window: QuietHours, at_ms: int, zone: ZoneInfo) -> bool:
    """What the clock on the wall says, in so many words."""
    wall = f"{datetime.fromtimestamp(at_ms // 1_000, UTC).astimezone(zone):%H:%M}"
    if window.start <= window.end:
        return window.start <= wall < window.end
    return not window.end <= wall < window.start


@given(windows, instants, zones)
def test_it_is_quiet_exactly_until_the_clock_on_the_wall_says_otherwise(
    window: QuietHours, now_ms: int, zone: ZoneInfo
) -> None:
    found = quiet_until_ms(window, now_ms, zone)
    if not is_quiet(window, now_ms, zone):
        assert found is None
        return
    full_minute_ms = now_ms - now_ms % MINUTE_MS
    minutes = (full_minute_ms + count * MINUTE_MS for count in range(1, LONGEST))
    assert found == next(each for each in minutes if not is_quiet(window, each, zone))
