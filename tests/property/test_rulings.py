"""Rulings, held against the rules said once more in other words: a table, and a clock looked at minute by minute."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.channels import EMAIL, SMS, Channel
from hub.domain.events import Consent
from hub.domain.house_rules import HouseRules
from hub.domain.ids import EventKey, NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Lane, Notification
from hub.domain.people import Person
from hub.domain.preferences import Preferences
from hub.domain.quiet_hours import QuietHours
from hub.domain.rulings import Allow, Drop, Hold, Listener, rule_on

MINUTE_MS, DAY_MS = 60_000, 86_400_000
MIA = UserId("mia")
START = datetime(2026, 3, 28, 20, tzinfo=UTC)
START_MS = round(START.timestamp() * 1_000)
"""The evening before the clocks change in Europe."""

zones = st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"])
windows = st.builds(QuietHours, *[st.sampled_from(["00:00", "02:30", "07:00", "13:00", "22:00"])] * 2)
offs = st.dictionaries(st.sampled_from([EMAIL, SMS, Channel("*")]), st.booleans(), max_size=2)
words = st.builds(
    Consent, st.booleans(), st.none() | st.integers(0, 3).map(lambda hours: START + timedelta(hours=hours))
)
timed_words = st.builds(Consent, st.booleans(), st.integers(0, 3).map(lambda hours: START + timedelta(hours=hours)))
wishes = st.builds(
    Preferences,
    switches=st.dictionaries(st.sampled_from(["orders", "prices", "*"]), offs, max_size=2),
    quiet_hours=st.none() | windows,
    snoozed_until_ms=st.just(0) | st.integers(START_MS - DAY_MS, START_MS + 2 * DAY_MS),
    consent=st.dictionaries(st.sampled_from([EMAIL, SMS]), st.tuples(timed_words), max_size=2),
)
people = st.builds(
    Person,
    st.just(MIA),
    consent=st.dictionaries(st.sampled_from([EMAIL, SMS]), words, max_size=2),
    stamps=st.integers(0, 3).map(lambda h: {"consent.email": (0, START_MS + h * 60 * MINUTE_MS, EventKey("e"))}),
)
houses = st.builds(
    HouseRules,
    stops=st.just({}) | st.sampled_from([{"orders": ("sms",)}, {"*": ("email",)}, {"prices": ("*",)}]),
    quiet_hours=st.none() | windows,
)
notifications = st.builds(
    Notification,
    id=st.just(NotificationId("n")),
    user=st.just(MIA),
    rule=st.just(RuleName("r")),
    event_type=st.just("order.packed"),
    category=st.sampled_from(["orders", "prices"]),
    lane=st.sampled_from([Lane.CRITICAL, Lane.TRANSACTIONAL, Lane.MARKETING, Lane.MARKETING]),
    template=st.just(TemplateName("t")),
    context=st.just({}),
    created_ms=st.just(START_MS),
    expires_ms=st.none() | st.integers(START_MS + DAY_MS, START_MS + 3 * DAY_MS),
)
instants = st.integers(START_MS, START_MS + DAY_MS)


def is_stopped(house: HouseRules, category: str, channel: Channel) -> bool:
    return any(row in {category, "*"} and {channel, "*"} & set(channels) for row, channels in house.stops.items())


def is_off(wish: Preferences, category: str, channel: Channel) -> bool:
    said: dict[tuple[str, str], bool] = {
        (row, column): on for row, cells in wish.switches.items() for column, on in cells.items()
    }
    broad = [(category, "*"), ("*", channel), ("*", "*")]
    return not said.get((category, channel), all(said.get(place, True) for place in broad))


def consents(person: Person, wish: Preferences, channel: Channel) -> bool:
    """The newest word counts, of two at once the refusal; a grant retold without its time is as old as can be."""
    spoken: list[tuple[float, bool]] = []
    for own in wish.consent.get(channel, ()):
        assert own.at is not None
        spoken.append((own.at.timestamp(), own.granted))
    told = person.consent.get(channel)
    if told is not None:
        heard_ms = person.stamps.get(f"consent.{channel}", (0, 0, EventKey("")))[1]
        retold = 0.0 if told.granted else heard_ms / 1_000
        spoken.append((told.at.timestamp() if told.at else retold, told.granted))
    newest = max((at for at, _ in spoken), default=None)
    return newest is not None and all(granted for at, granted in spoken if at == newest)


def is_quiet(window: QuietHours | None, at_ms: int, zone: str) -> bool:
    if window is None or window.start == window.end:
        return False
    wall = f"{datetime.fromtimestamp(at_ms // 1_000, UTC).astimezone(ZoneInfo(zone)):%H:%M}"
    over_midnight = window.start > window.end
    return (wall >= window.start or wall < window.end) if over_midnight else window.start <= wall < window.end


def free_ms(window: QuietHours | None, snoozed_ms: int, now_ms: int, zone: str) -> int:
    at_ms = max(now_ms, snoozed_ms)
    while is_quiet(window, at_ms, zone):
        at_ms += MINUTE_MS - at_ms % MINUTE_MS
    return at_ms


@settings(max_examples=3 * settings().max_examples)
@given(
    notification=notifications,
    channel=st.sampled_from([EMAIL, SMS]),
    person=people,
    wish=wishes,
    house=houses,
    zone=zones,
    now_ms=instants,
)
def test_a_ruling_is_what_the_rules_say(
    *,
    notification: Notification,
    channel: Channel,
    person: Person,
    wish: Preferences,
    house: HouseRules,
    zone: str,
    now_ms: int,
) -> None:
    listener = Listener(person, wish, ZoneInfo(zone))
    ruling: Any = rule_on(notification, channel, listener=listener, house=house, now_ms=now_ms)
    free_at_ms = free_ms(wish.quiet_hours or house.quiet_hours, wish.snoozed_until_ms, now_ms, zone)
    lane, category, expires_ms = notification.lane, notification.category, notification.expires_ms
    assert ruling.reason
    if is_stopped(house, category, channel):
        assert isinstance(ruling, Drop)
    elif lane is Lane.CRITICAL:
        assert isinstance(ruling, Allow)
    elif is_off(wish, category, channel) or (lane is Lane.MARKETING and not consents(person, wish, channel)):
        assert isinstance(ruling, Drop)
        assert not ruling.ends
    elif free_at_ms == now_ms:
        assert isinstance(ruling, Allow)
    elif expires_ms is not None and expires_ms <= free_at_ms:
        assert isinstance(ruling, Drop)
        assert ruling.ends
    else:
        assert isinstance(ruling, Hold)
        assert ruling.until_ms == free_at_ms
