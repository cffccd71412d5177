from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from hub.domain.answers import ANSWERED_STOP, Stop
from hub.domain.channels import EMAIL, INBOX, SMS, Channel
from hub.domain.decisions import Aggregate, Document
from hub.domain.errors import InputError, StoreUnavailable
from hub.domain.events import Consent
from hub.domain.house_rules import HouseRules
from hub.domain.ids import UserId
from hub.domain.people import Person, encode_person
from hub.domain.permission import Identity, Role
from hub.domain.preferences import PreferenceChange, Preferences, changed
from hub.domain.quiet_hours import QuietHours
from hub.service.failures import Failure, OperationFailed
from hub.service.operations import Call
from hub.service.person.preferences import SNOOZE_MAX_MS, InForce, PreferenceCentre, PutPreferences, WhosePreferences
from hub.store.preferences import NobodyThere, Outdated, PutResult, Versioned, Written
from hub.store.suppressions import Suppression

MIA, BEN = UserId("mia"), UserId("ben")
NOW_MS = 1_767_261_600_000
NOW = datetime.fromtimestamp(NOW_MS / 1_000, UTC)
NIGHT = QuietHours("22:00", "07:00")
SERVICE = Identity(UserId("service:shop"), Role.SERVICE)


def switched(category: str, channel: Channel, *, on: bool) -> PreferenceChange:
    return PreferenceChange(switches={category: {channel: on}})


class FakeBook:
    """Preferences in memory. `rivals` are made by somebody else right before the next writes."""

    def __init__(self) -> None:
        self.held: dict[UserId, Versioned] = {}
        self.rivals: list[PreferenceChange] = []
        self.erased: set[UserId] = set()

    async def read(self, user: UserId) -> Versioned:
        return self.held.get(user, Versioned(0, Preferences()))

    async def put(self, user: UserId, preferences: Preferences, *, expected_version: int) -> PutResult:
        if user in self.erased:
            return NobodyThere()
        if self.rivals:
            before = await self.read(user)
            self.held[user] = Versioned(before.version + 1, changed(before.preferences, self.rivals.pop()))
        if (await self.read(user)).version != expected_version:
            return Outdated()
        self.held[user] = Versioned(expected_version + 1, preferences)
        return Written(expected_version + 1)


class FakePeople:
    """People whom the shop has told about."""

    def __init__(self, *people: Person) -> None:
        self.people = {person.user: person for person in people}

    async def read_many(self, aggregates: Sequence[Aggregate]) -> list[Document]:
        known = [self.people.get(UserId(each.id)) for each in aggregates]
        return [Document(1, encode_person(person)) if person else Document(0, b"") for person in known]


class FakeSuppressions:
    """Numbers and why they are not texted."""

    def __init__(self, **reasons: str) -> None:
        self.reasons = reasons

    async def find_many(self, addresses: Sequence[tuple[str, str]]) -> Sequence[Suppression | None]:
        found = [self.reasons.get(address.removeprefix("+")) for _, address in addresses]
        return [Suppression("sms:0", SMS, reason, NOW_MS, wording="Stop") if reason else None for reason in found]


@pytest.fixture
def book() -> FakeBook:
    return FakeBook()


def centre_of(
    book: FakeBook, *people: Person, suppressions: FakeSuppressions | None = None, **house: Any
) -> PreferenceCentre:
    return PreferenceCentre(
        book,
        FakePeople(*people),
        suppressions or FakeSuppressions(),
        house=HouseRules(**house),
        channels=(EMAIL, SMS, INBOX),
        categories=("orders", "prices"),
    )


@pytest.fixture
def centre(book: FakeBook) -> PreferenceCentre:
    return centre_of(book)


def call_of(who: Identity | UserId) -> Call:
    return Call(who if isinstance(who, Identity) else Identity(who, Role.SHOPPER), NOW_MS)


def put(**fields: Any) -> PutPreferences:
    return msgspec.convert(fields, PutPreferences)


async def test_somebody_unknown_is_shown_what_holds_by_default(centre: PreferenceCentre) -> None:
    view = await centre.of(MIA)
    assert view.version == 0
    assert view.categories == {"orders": {EMAIL: True, SMS: True}, "prices": {EMAIL: True, SMS: True}}
    assert view.in_force == InForce(None, "UTC")
    assert view.consent == {}


async def test_a_shopper_switches_one_category_off_on_one_channel(centre: PreferenceCentre) -> None:
    view = await centre.put(call_of(MIA), put(switches={"orders": {"email": False}}))
    assert view.categories["orders"] == {EMAIL: False, SMS: True}
    assert await centre.get(call_of(MIA), WhosePreferences()) == view


async def test_whoever_has_answered_stop_sees_texts_off_and_cannot_switch_them_on_here(book: FakeBook) -> None:
    stopped = FakeSuppressions(**{"4915112345678": ANSWERED_STOP})
    centre = centre_of(book, Person(MIA, phone="+4915112345678"), suppressions=stopped)
    view = await centre.change(MIA, switched("orders", SMS, on=True))
    assert view.categories["orders"] == {EMAIL: True, SMS: False}
    assert view.own_stops == {SMS: Stop("sms STOP", NOW_MS, "Stop")}


async def test_a_stop_goes_with_its_number_and_others_are_none(book: FakeBook) -> None:
    known = FakeSuppressions(**{"4915112345678": ANSWERED_STOP, "4915112345679": "the provider reports 30005"})
    for phone in ("+4915112345670", "+4915112345679", None):
        view = await centre_of(book, Person(MIA, phone=phone), suppressions=known).of(MIA)
        assert (view.own_stops, view.categories["orders"][SMS]) == ({}, True)


async def test_what_the_operator_stopped_is_shown_as_off(book: FakeBook) -> None:
    view = await centre_of(book, stops={"prices": ("sms",)}).of(MIA)
    assert view.categories["prices"] == {EMAIL: True, SMS: False}
    assert view.stopped == {"prices": ("sms",)}


async def test_the_quiet_hours_of_the_house_hold_until_a_person_has_their_own(book: FakeBook) -> None:
    centre = centre_of(book, Person(MIA, time_zone="Asia/Kolkata"), quiet_hours=NIGHT)
    assert (await centre.of(MIA)).in_force == InForce(NIGHT, "Asia/Kolkata")

    own = {"start": "20:00", "end": "08:00"}
    view = await centre.put(call_of(MIA), put(quiet_hours=own, time_zone="Europe/Berlin"))
    assert view.in_force == InForce(QuietHours("20:00", "08:00"), "Europe/Berlin")

    never = await centre.put(call_of(MIA), put(quiet_hours={"start": "00:00", "end": "00:00"}))
    assert never.in_force.quiet_hours is None


async def test_consent_is_recorded_with_its_source_wording_and_time(centre: PreferenceCentre) -> None:
    word = {"granted": True, "source": "footer", "wording": "2026-03"}
    view = await centre.put(call_of(MIA), put(consent={"email": word}))
    assert view.consent == {EMAIL: Consent(granted=True, at=NOW, source="footer", wording="2026-03")}


async def test_consent_without_a_source_names_who_told_it(centre: PreferenceCentre) -> None:
    own = await centre.put(call_of(MIA), put(consent={"email": {"granted": True}}))
    told = await centre.put(call_of(SERVICE), put(user="ben", consent={"email": {"granted": True}}))
    assert (own.consent[EMAIL].source, told.consent[EMAIL].source) == ("app", "service:shop")


async def test_a_page_switches_and_records_consent(centre: PreferenceCentre) -> None:
    await centre.change(MIA, switched("orders", SMS, on=False))
    await centre.change(MIA, switched("prices", EMAIL, on=False))
    view = await centre.record_consent(MIA, SMS, granted=True, source="page", wording="v3", now_ms=NOW_MS)
    assert view.categories == {"orders": {EMAIL: True, SMS: False}, "prices": {EMAIL: False, SMS: True}}
    assert view.consent[SMS] == Consent(granted=True, at=NOW, source="page", wording="v3")


async def test_a_change_survives_that_others_are_quicker(book: FakeBook, centre: PreferenceCentre) -> None:
    book.rivals = [PreferenceChange(switches={"orders": {SMS: False}}), PreferenceChange(snoozed_until_ms=5)]
    view = await centre.change(MIA, switched("orders", EMAIL, on=False))
    assert view.switches == {"orders": {EMAIL: False, SMS: False}}
    assert (view.version, view.snoozed_until_ms) == (3, 5)


async def test_a_change_that_is_overtaken_for_ever_gives_up(book: FakeBook, centre: PreferenceCentre) -> None:
    book.rivals = [PreferenceChange(snoozed_until_ms=number + 1) for number in range(100)]
    with pytest.raises(StoreUnavailable):
        await centre.change(MIA, switched("orders", EMAIL, on=False))


async def test_a_change_of_nothing_writes_nothing(book: FakeBook, centre: PreferenceCentre) -> None:
    await centre.put(call_of(MIA), put())
    assert book.held == {}


async def test_nothing_is_kept_about_an_erased_person(book: FakeBook, centre: PreferenceCentre) -> None:
    book.erased = {MIA}
    with pytest.raises(OperationFailed) as failed:
        await centre.change(MIA, switched("orders", EMAIL, on=False))
    assert failed.value.failure is Failure.NOT_FOUND


async def test_a_person_chooses_how_long_messages_gather_and_another_channel_waits(centre: PreferenceCentre) -> None:
    view = await centre.put(call_of(MIA), put(digest_s={"orders": 3_600, "*": 0}, wait_s={"*": 600}))
    assert (view.digest_s, view.wait_s) == ({"orders": 3_600, "*": 0}, {"*": 600})
    view = await centre.put(call_of(MIA), put(digest_s={"*": None}, wait_s={"*": None}))
    assert (view.digest_s, view.wait_s) == ({"orders": 3_600}, {})


async def test_a_service_says_whose_preferences_it_means(centre: PreferenceCentre) -> None:
    view = await centre.put(call_of(SERVICE), put(user="ben", switches={"*": {"*": False}}))
    assert view.user == BEN
    with pytest.raises(InputError, match="user"):
        await centre.get(call_of(SERVICE), WhosePreferences())


async def test_a_shopper_has_no_business_with_the_preferences_of_others(centre: PreferenceCentre) -> None:
    assert (await centre.get(call_of(MIA), WhosePreferences("mia"))).user == MIA
    with pytest.raises(OperationFailed) as failed:
        await centre.get(call_of(MIA), WhosePreferences("ben"))
    assert failed.value.failure is Failure.FORBIDDEN


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"switches": {"orders": {"pigeon": False}}}, "switches.orders.pigeon"),
        ({"switches": {"orders": {"inbox": False}}}, "switches.orders.inbox"),
        ({"channel_order": {"*": ["push"]}}, "channel_order.*.push"),
        ({"channel_order": {"*": ["sms", "sms"]}}, "channel_order.*"),
        ({"digest_s": {"orders": 899}}, "digest_s.orders"),
        ({"consent": {"push": {"granted": True}}}, "consent.push"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"snoozed_until_ms": NOW_MS + SNOOZE_MAX_MS + 1}, "snoozed_until_ms"),
    ],
)
async def test_a_field_that_makes_no_sense_is_named(
    centre: PreferenceCentre, fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError) as refused:
        await centre.put(call_of(MIA), put(**fields))
    assert refused.value.field == named
