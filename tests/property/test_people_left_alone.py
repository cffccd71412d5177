"""People are left alone: random preferences, clocks and streams of events, through the ladder and its rulings.

A small town in memory plays the delivery workers: it claims jobs when they are due, asks for their rulings, sends,
fails, and goes on to the next step. What it sends is held against what the person wanted at that moment, in words that
have nothing in common with the code that decides.
"""

import asyncio
import heapq
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.backoff import Backoff
from channels.ladder import (
    Bury,
    Delivered,
    Done,
    Facts,
    Gather,
    Impossible,
    Limits,
    Refused,
    Result,
    Retry,
    Send,
    Unclear,
    Wait,
    at_own_pace,
    in_order,
    next_move,
    why_over,
)
from channels.rulings import Case, Rulings
from hub.domain.channels import EMAIL, PUSH, SMS, Channel
from hub.domain.digests import closing_job, name_of
from hub.domain.events import Consent
from hub.domain.house_rules import Cap, HouseRules
from hub.domain.ids import JobId, NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import EntryState, Job, Lane, Notification, Step, Throttle, job_id
from hub.domain.people import Person
from hub.domain.preferences import PreferenceChange, Preferences, changed, pace_of, preferred_order
from hub.domain.quiet_hours import QuietHours
from hub.domain.rulings import Allowance

MIA = UserId("mia")
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
LIMITS = Limits(max_tries=4, backoff=Backoff(first_s=60.0, max_s=3_600.0))
CHANNELS = (EMAIL, PUSH, SMS)
CATEGORIES = ("orders", "prices")
ZONES = (
    "Africa/Casablanca",
    "America/New_York",
    "America/Santiago",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Chatham",
    "UTC",
)
BEGINNINGS = tuple(
    round(datetime(2026, month, day, tzinfo=UTC).timestamp() * 1_000)
    for month, day in ((3, 7), (3, 28), (4, 4), (9, 5), (10, 24), (10, 31), (6, 1))
)
"""The day before clocks change somewhere, and one when none do."""


class Sent(NamedTuple):
    """One notification that went out, and what the person wanted then. `message` is its own id, or its digest's."""

    at_ms: int
    notification: Notification
    channel: Channel
    preferences: Preferences
    message: NotificationId


class Counts:
    """Allowances in memory: everything that was ever counted, by name."""

    def __init__(self, town: "Town") -> None:
        self._town = town
        self._taken: dict[str, dict[str, int]] = {}

    async def take_many(self, wanted: Sequence[tuple[UserId, Sequence[Allowance]]]) -> list[Allowance | None]:
        return [self._take(allowances) for _, allowances in wanted]

    def _take(self, allowances: Sequence[Allowance]) -> Allowance | None:
        now_ms = self._town.now_ms
        for allowance in allowances:
            taken = self._taken.setdefault(allowance.name, {})
            longest_ms = max(cap.window_s for cap in allowance.caps) * 1_000
            if taken.get(allowance.member, -longest_ms) > now_ms - longest_ms:
                continue
            for cap in allowance.caps:
                if sum(at > now_ms - cap.window_s * 1_000 for at in taken.values()) >= cap.count:
                    return allowance
        for allowance in allowances:
            self._taken[allowance.name].setdefault(allowance.member, now_ms)
        return None


class Town:
    """Delivery workers, a provider that answers as told, and one person."""

    def __init__(self, house: HouseRules, zone: str, answers: Sequence[Result]) -> None:
        self.now_ms = 0
        self.person = Person(MIA, time_zone=zone)
        self.preferences = Preferences()
        self.seen: dict[NotificationId, int] = {}
        self.sent: list[Sent] = []
        self.holds: list[tuple[int, int]] = []
        self.open: dict[tuple[Lane, str], Job] = {}
        """The closing job of each digest that gathers."""
        self.gathered: dict[JobId, list[Job]] = {}
        """What is in each digest, by its closing job."""
        self.told: list[tuple[JobId, JobId, int]] = []
        """Of each time that a digest told a step: the step, the closing job and when."""
        self._answers = itertools.cycle(answers)
        self._rulings = Rulings(house, Counts(self))
        self._due: list[tuple[int, int, Any]] = []
        self._order = itertools.count()

    def plan(self, at_ms: int, what: Any) -> None:
        heapq.heappush(self._due, (at_ms, next(self._order), what))

    async def run(self) -> None:
        while self._due:
            self.now_ms, _, what = heapq.heappop(self._due)
            match what:
                case PreferenceChange():
                    self.preferences = changed(self.preferences, what)
                case Notification():
                    first = Job(job_id(what.id, 0), 0, what, self.now_ms + round(what.ladder[0].after_s * 1_000))
                    self.plan(first.due_ms, (first, Facts(now_ms=0)))
                case str():
                    self.seen.setdefault(NotificationId(what), self.now_ms)
                case (job, known):
                    await self._work(job, known)

    async def _work(self, job: Job, known: Facts) -> None:
        category = job.notification.category
        job = at_own_pace(
            in_order(job, preferred_order(self.preferences, category)), pace_of(self.preferences, category)
        )
        facts = replace(known, now_ms=self.now_ms, state=self._state(job), ruling=None)
        (ruling,) = await self._rulings.on([Case(job, facts, self.person, self.preferences)])
        facts = replace(facts, ruling=ruling)
        move = next_move(job, facts, limits=LIMITS)
        if job.digest and isinstance(move, Send | Done):
            facts = replace(facts, gathered=self._close(job, facts))
            move = next_move(job, facts, limits=LIMITS)
        if isinstance(move, Send):
            self._send(job, (job,) if facts.gathered is None else facts.gathered)
            move = next_move(job, facts, next(self._answers), limits=LIMITS)
        match move:
            case Gather():
                self._gather(job)
            case Retry(_, _, due_ms, unknown):
                again = replace(facts, tries=facts.tries + 1, unknown_calls=facts.unknown_calls + unknown)
                self.plan(due_ms, (job, again))
            case Wait(_, due_ms):
                self.holds.append((self.now_ms, due_ms))
                self.plan(due_ms, (job, facts))
            case Done(followed_by=followed_by) | Bury(followed_by=followed_by):
                for following in followed_by:
                    self.plan(following.due_ms, (following, Facts(now_ms=0)))

    def _state(self, job: Job) -> EntryState:
        return EntryState.SEEN if job.notification.id in self.seen else EntryState.UNSEEN

    def _send(self, job: Job, told: Sequence[Job]) -> None:
        for each in told:
            self.sent.append(Sent(self.now_ms, each.notification, job.channel, self.preferences, job.notification.id))
            if job.digest:
                self.told.append((each.id, job.id, self.now_ms))

    def _gather(self, job: Job) -> None:
        slot = (job.lane, name_of(job))
        if slot not in self.open:
            self.open[slot] = closing_job(job, now_ms=self.now_ms)
            self.plan(self.open[slot].due_ms, (self.open[slot], Facts(now_ms=0)))
        self.gathered.setdefault(self.open[slot].id, []).append(job)

    def _close(self, job: Job, facts: Facts) -> tuple[Job, ...]:
        """Let nothing more into a digest, and return what of it is still to be told."""
        slot = (job.lane, job.digest)
        if slot in self.open and self.open[slot].id == job.id:
            del self.open[slot]
        standing = [(each, replace(facts, state=self._state(each))) for each in self.gathered[job.id]]
        return tuple(each for each, its_own in standing if why_over(each, its_own) is None)


# What there is

times_of_day = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.sampled_from([0, 30]))
windows = st.builds(QuietHours, times_of_day, times_of_day)
places = st.sampled_from([*CATEGORIES, "*"])
cells = st.dictionaries(st.sampled_from([*CHANNELS, Channel("*")]), st.booleans() | st.none(), max_size=3)
moments = st.integers(0, 3 * DAY_MS)
ANSWERS: tuple[Result, ...] = (Delivered("id"), Refused("451", 1_800.0), Impossible("550"), Unclear("cut"))
answers = st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=6)
houses = st.builds(
    HouseRules,
    stops=st.dictionaries(places, st.sampled_from([("email",), ("sms",), ("*",)]), max_size=1),
    quiet_hours=st.none() | windows,
    marketing_caps=st.sampled_from([(), (Cap(1, 86_400),), (Cap(1, 3_600), Cap(2, 86_400))]),
)


@st.composite
def changes(draw: st.DrawFn, start_ms: int, at_ms: int) -> PreferenceChange:
    word = st.builds(Consent, st.booleans(), st.just(datetime.fromtimestamp((start_ms + at_ms) / 1_000, UTC)))
    fields: dict[str, Any] = {
        "switches": draw(st.dictionaries(places, cells, max_size=2)),
        "channel_order": draw(st.dictionaries(places, st.permutations(CHANNELS).map(tuple), max_size=1)),
        "digest_s": draw(st.dictionaries(places, st.sampled_from([None, 0, 900, 7_200]), max_size=1)),
        "wait_s": draw(st.dictionaries(places, st.sampled_from([None, 0, 3_600]), max_size=1)),
        "consent": draw(st.dictionaries(st.sampled_from(CHANNELS), word, max_size=2)),
    }
    if draw(st.booleans()):
        fields["quiet_hours"] = draw(st.none() | windows)
    if draw(st.booleans()):
        fields["snoozed_until_ms"] = start_ms + at_ms + draw(st.integers(-HOUR_MS, DAY_MS))
    return PreferenceChange(**fields)


@st.composite
def notifications(draw: st.DrawFn, number: int, created_ms: int) -> Notification:
    steps = st.builds(Step, st.sampled_from(CHANNELS), st.sampled_from([0.0, 60.0, 7_200.0]))
    lifetime_ms = draw(st.none() | st.integers(HOUR_MS, DAY_MS))
    return Notification(
        id=NotificationId(f"n-{number}"),
        user=MIA,
        rule=RuleName("r"),
        event_type="order.packed",
        category=draw(st.sampled_from(CATEGORIES)),
        lane=draw(st.sampled_from(Lane)),
        template=TemplateName("t"),
        context={},
        created_ms=created_ms,
        ladder=tuple(draw(st.lists(steps, min_size=1, max_size=3))),
        expires_ms=None if lifetime_ms is None else created_ms + lifetime_ms,
        throttle=draw(st.none() | st.just(Throttle("k", 2, 7_200))),
        digest_s=draw(st.sampled_from([0, 7_200, 86_400])),
    )


@st.composite
def towns(draw: st.DrawFn) -> tuple[Town, HouseRules]:
    house, start_ms = draw(houses), draw(st.sampled_from(BEGINNINGS))
    town = Town(house, draw(st.sampled_from(ZONES)), draw(answers))
    for at_ms in draw(st.lists(moments, max_size=4)):
        town.plan(start_ms + at_ms, draw(changes(start_ms, at_ms)))
    # Some come together, as what gathers in a digest does.
    for number, at_ms in enumerate(draw(st.lists(moments | st.integers(0, HOUR_MS), min_size=1, max_size=6))):
        town.plan(start_ms + at_ms, draw(notifications(number, start_ms + at_ms)))
        if draw(st.booleans()):
            town.plan(start_ms + at_ms + draw(st.integers(0, DAY_MS)), f"n-{number}")
    return town, house


# What must hold


def is_switched_off(preferences: Preferences, category: str, channel: str) -> bool:
    said = {(row, str(column)): on for row, cells in preferences.switches.items() for column, on in cells.items()}
    if (category, channel) in said:
        return not said[category, channel]
    return any(not on for place, on in said.items() if place in {(category, "*"), ("*", channel), ("*", "*")})


def is_left_alone(sent: Sent, house: HouseRules, zone: str) -> bool:
    window = sent.preferences.quiet_hours or house.quiet_hours
    wall = f"{datetime.fromtimestamp(sent.at_ms / 1_000, UTC).astimezone(ZoneInfo(zone)):%H:%M}"
    if window is None or window.start == window.end:
        quiet = False
    elif window.start < window.end:
        quiet = window.start <= wall < window.end
    else:
        quiet = wall >= window.start or wall < window.end
    return quiet or sent.at_ms < sent.preferences.snoozed_until_ms


def most_at_once(times_ms: Sequence[int], window_s: int) -> int:
    return max((sum(start <= at < start + window_s * 1_000 for at in times_ms) for start in times_ms), default=0)


def alone(sent: Sent) -> bool:
    return sent.message == sent.notification.id


def firsts(sent: Sequence[Sent], by: Any) -> list[int]:
    """When each message, or each notification, went out for the first time."""
    times: dict[Any, int] = {}
    for each in sent:
        times.setdefault(by(each), each.at_ms)
    return list(times.values())


FEW = settings(
    max_examples=min(50, settings().max_examples),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@FEW
@given(towns())
def test_nothing_is_sent_against_what_the_person_wants(made: tuple[Town, HouseRules]) -> None:
    town, house = made
    asyncio.run(town.run())
    for sent in town.sent:
        category, channel = sent.notification.category, sent.channel
        stopped = {*house.stops.get(category, ()), *house.stops.get("*", ())}
        assert not stopped & {channel, "*"}
        if sent.notification.lane is not Lane.CRITICAL:
            assert not is_switched_off(sent.preferences, category, channel)
            assert not is_left_alone(sent, house, town.person.time_zone or "")
        if sent.notification.lane is Lane.MARKETING:
            words = sent.preferences.consent.get(channel, ())
            assert words
            assert words[-1].granted


@FEW
@given(towns())
def test_nothing_is_sent_after_it_was_seen_or_has_expired(made: tuple[Town, HouseRules]) -> None:
    town, _ = made
    asyncio.run(town.run())
    for sent in town.sent:
        assert sent.at_ms <= town.seen.get(sent.notification.id, sent.at_ms)
        assert sent.notification.expires_ms is None or sent.at_ms < sent.notification.expires_ms


@FEW
@given(towns())
def test_no_more_is_sent_than_throttles_and_caps_allow(made: tuple[Town, HouseRules]) -> None:
    town, house = made
    asyncio.run(town.run())
    throttled = [sent for sent in town.sent if sent.notification.throttle is not None and alone(sent)]
    assert most_at_once(firsts(throttled, lambda sent: sent.notification.id), 7_200) <= 2
    marketing = [sent for sent in town.sent if sent.notification.lane is Lane.MARKETING]
    times_ms = firsts(marketing, lambda sent: (sent.message, sent.channel))
    assert all(most_at_once(times_ms, cap.window_s) <= cap.count for cap in house.marketing_caps)


@FEW
@given(towns())
def test_what_is_held_is_looked_at_again_only_when_its_time_has_come(made: tuple[Town, HouseRules]) -> None:
    town, _ = made
    asyncio.run(town.run())
    assert all(until_ms > at_ms for at_ms, until_ms in town.holds)
    assert len(town.holds) <= 200


@FEW
@given(towns())
def test_a_digest_tells_each_step_once_and_not_before_its_window_is_over(made: tuple[Town, HouseRules]) -> None:
    town, _ = made
    asyncio.run(town.run())
    gathered = [job.id for jobs in town.gathered.values() for job in jobs]
    assert len(gathered) == len(set(gathered))
    assert len({(step, closing) for step, closing, _ in town.told}) == len({step for step, _, _ in town.told})
    assert town.open == {}
    by_id = {job.id: job for jobs in town.gathered.values() for job in jobs}
    for step, closing, at_ms in town.told:
        opener = town.gathered[closing][0]
        assert at_ms >= by_id[step].due_ms
        assert at_ms >= opener.due_ms + opener.notification.digest_s * 1_000
