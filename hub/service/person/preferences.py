"""`preferences.get` and `preferences.put`, and what pages behind a signed link do with a person's preferences."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Protocol

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hub.domain.answers import Stop, stop_of
from hub.domain.channels import INBOX, SMS, Channel
from hub.domain.decisions import Aggregate, AggregateKind, Document
from hub.domain.errors import InputError, StoreUnavailable
from hub.domain.events import Consent, Text, TimeZone
from hub.domain.house_rules import HouseRules
from hub.domain.ids import UserId
from hub.domain.people import Person, person_of
from hub.domain.permission import Identity, Role
from hub.domain.preferences import (
    ANY,
    CategoryOrAny,
    ChannelOrAny,
    OwnDigest,
    OwnWait,
    PreferenceChange,
    Preferences,
    changed,
    consent_to,
    wish,
)
from hub.domain.quiet_hours import QuietHours
from hub.observe import logger
from hub.service.failures import Failure, OperationFailed
from hub.service.operations import PEOPLE, SERVICES, AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.store.preferences import NobodyThere, PutResult, Versioned, Written
from hub.store.suppressions import Suppression
from templates.moments import find_zone

_log = logger(__name__)
_RATE = Rate(count=600, window_s=60.0)
_TRIES = 8
"""Of a change that others keep overtaking. More than eight at once on one person is no person."""
SNOOZE_MAX_MS = 30 * 86_400_000
"""A digest that is held back keeps for 31 days."""
MAX_ORDER = 16

User = Annotated[str, Meta(pattern=r"^[^\s\x00-\x1f\x7f{}]{1,128}\Z")]


class Book(Protocol):
    """The preferences (`hub.store.preferences.PreferenceBook`). Every method raises StoreUnavailable."""

    async def read(self, user: UserId) -> Versioned:
        """Return a person's preferences."""
        ...

    async def put(self, user: UserId, preferences: Preferences, *, expected_version: int) -> PutResult:
        """Store preferences if their version is still the expected one."""
        ...


class People(Protocol):
    """The documents of people (`hub.store.documents.Documents`)."""

    async def read_many(self, aggregates: Sequence[Aggregate]) -> list[Document]:
        """Return documents, version 0 where there is none. Raises StoreUnavailable."""
        ...


class SuppressionList(Protocol):
    """Addresses that are not written to (`hub.store.suppressions.Suppressions`)."""

    async def find_many(self, addresses: Sequence[tuple[str, str]]) -> Sequence[Suppression | None]:
        """Return the suppression of each (channel, address). Raises StoreUnavailable."""
        ...


class InForce(msgspec.Struct, frozen=True):
    """When the person is left alone: as they have said, or else as the installation has it. None: never."""

    quiet_hours: QuietHours | None
    time_zone: str


class PreferencesView(msgspec.Struct, frozen=True):
    """A person's preferences, and what comes of them together with the rules of the house."""

    user: UserId
    version: int
    """Counts the changes; 0: the person has said nothing yet."""
    categories: dict[str, dict[Channel, bool]]
    """Whether a category is sent on a channel, for all there are. Of marketing, consent has to be there as well."""
    switches: dict[str, dict[Channel, bool]]
    """What the person has switched themselves."""
    channel_order: dict[str, tuple[Channel, ...]]
    digest_s: dict[str, int]
    wait_s: dict[str, int]
    quiet_hours: QuietHours | None
    time_zone: str | None
    in_force: InForce
    snoozed_until_ms: int
    consent: dict[Channel, Consent]
    """The newest word on marketing, by channel. A channel that is not there: nothing, so no."""
    stopped: dict[str, tuple[str, ...]]
    """What the operator has stopped for everybody."""
    own_stops: dict[Channel, Stop] = {}
    """Where the number that the person has now has answered STOP: nothing is sent there until it answers START."""


class WhosePreferences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose: a service names the `user`, a person leaves it out."""

    user: User | None = None


class ConsentWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says about marketing on one channel; the time is that of the request."""

    granted: bool
    source: Text | None = None
    wording: Text | None = None


class PutPreferences(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to change: what is left out stays as it is, null takes back what was said."""

    user: User | None = None
    switches: dict[CategoryOrAny, dict[ChannelOrAny, bool | None]] = {}
    channel_order: dict[CategoryOrAny, Annotated[tuple[Channel, ...], Meta(max_length=MAX_ORDER)] | None] = {}
    digest_s: dict[CategoryOrAny, OwnDigest | None] = {}
    """For how long messages gather into one; 0: each goes alone."""
    wait_s: dict[CategoryOrAny, OwnWait | None] = {}
    """How long to wait at least before another channel is tried."""
    quiet_hours: QuietHours | UnsetType | None = UNSET
    time_zone: TimeZone | UnsetType | None = UNSET
    snoozed_until_ms: Annotated[int, Meta(ge=0)] | UnsetType | None = UNSET
    consent: dict[Channel, ConsentWord] = {}


class _Known(msgspec.Struct, frozen=True):
    """A person, and what they have said where this hub cannot be told by preferences: in answers to messages."""

    person: Person
    stops: dict[Channel, Stop] = {}


class PreferenceCentre:
    """Shows and changes people's preferences: for operations, and for pages behind a signed link.

    `channels` are those that reach people here (the inbox is not one of them), `categories` those of the playbook.
    The methods that name a user check no permission. All raise StoreUnavailable; those that change something raise
    OperationFailed (NOT_FOUND) for a person who was erased, and may be repeated.
    """

    def __init__(
        self,
        book: Book,
        people: People,
        suppressions: SuppressionList,
        *,
        house: HouseRules,
        channels: Sequence[Channel],
        categories: Sequence[str],
    ) -> None:
        self._book = book
        self._people = people
        self._suppressions = suppressions
        self._house = house
        self._channels = tuple(channel for channel in channels if channel != INBOX)
        self._categories = tuple(categories)

    async def of(self, user: UserId) -> PreferencesView:
        """Return a person's preferences. Of somebody unknown: what holds by default."""
        stored, known = await asyncio.gather(self._book.read(user), self._known(user))
        return self._view(stored, known)

    async def change(self, user: UserId, change: PreferenceChange) -> PreferencesView:
        """Change some of a person's preferences, whatever others change meanwhile. Raises InputError too."""
        self._check(change)
        known = await self._known(user)
        for _ in range(_TRIES):
            stored = await self._book.read(user)
            after = changed(stored.preferences, change)
            if after is stored.preferences:
                return self._view(stored, known)
            result = await self._book.put(user, after, expected_version=stored.version)
            if isinstance(result, NobodyThere):
                raise OperationFailed(Failure.NOT_FOUND, "this person has been erased")
            if isinstance(result, Written):
                _log.info("preferences_changed", user=user, version=result.version)
                return self._view(Versioned(result.version, after), known)
        raise StoreUnavailable(f"preferences: others have changed them {_TRIES} times meanwhile")

    async def record_consent(
        self, user: UserId, channel: Channel, *, granted: bool, source: str, wording: str | None = None, now_ms: int
    ) -> PreferencesView:
        """Note what a person says about marketing on a channel: where, to which version of the wording, and when."""
        word = Consent(granted=granted, at=_instant(now_ms), source=source, wording=wording)
        return await self.change(user, PreferenceChange(consent={channel: word}))

    async def get(self, call: Call, request: WhosePreferences) -> PreferencesView:
        """Return the caller's preferences, or to a service those of a person.

        Raises InputError, OperationFailed (FORBIDDEN), StoreUnavailable.
        """
        return await self.of(_whose(call.who, request.user))

    async def put(self, call: Call, request: PutPreferences) -> PreferencesView:
        """Change the caller's preferences, or for a service those of a person.

        Raises InputError, OperationFailed (FORBIDDEN, NOT_FOUND), StoreUnavailable.
        """
        user = _whose(call.who, request.user)
        snoozed = request.snoozed_until_ms
        if isinstance(snoozed, int) and snoozed > call.now_ms + SNOOZE_MAX_MS:
            raise InputError("snoozed_until_ms", "is more than 30 days away; switch categories off instead")
        at = _instant(call.now_ms)
        source = "app" if user == call.who.user else call.who.user
        change = PreferenceChange(
            switches=request.switches,
            channel_order=request.channel_order,
            digest_s=request.digest_s,
            wait_s=request.wait_s,
            quiet_hours=request.quiet_hours,
            time_zone=request.time_zone,
            snoozed_until_ms=snoozed,
            consent={
                channel: Consent(word.granted, at, word.source or source, word.wording)
                for channel, word in request.consent.items()
            },
        )
        return await self.change(user, change)

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what people and services can ask for here."""
        get: Operation[WhosePreferences, PreferencesView] = Operation(
            name="preferences.get",
            summary="Show what a person wants to be told, on which channels and when.",
            request=WhosePreferences,
            response=PreferencesView,
            roles=PEOPLE | SERVICES,
            http=Http("GET", "/v1/preferences"),
            handler=self.get,
            rate=_RATE,
            repeat=Repeat.READS,
        )
        put: Operation[PutPreferences, PreferencesView] = Operation(
            name="preferences.put",
            summary="Change what a person wants to be told; what is left out stays as it is.",
            request=PutPreferences,
            response=PreferencesView,
            roles=PEOPLE | SERVICES,
            http=Http("POST", "/v1/preferences"),
            handler=self.put,
            rate=_RATE,
            repeat=Repeat.IDEMPOTENT,
            errors=(Failure.NOT_FOUND,),
        )
        return get, put

    async def _known(self, user: UserId) -> _Known:
        (document,) = await self._people.read_many([Aggregate(AggregateKind.PERSON, user)])
        person = person_of(document, user)
        if person.phone is None or SMS not in self._channels:
            return _Known(person)
        (found,) = await self._suppressions.find_many([(SMS, person.phone)])
        stop = found and stop_of(found.reason, at_ms=found.at_ms, wording=found.wording)
        return _Known(person, {SMS: stop} if stop else {})

    def _check(self, change: PreferenceChange) -> None:
        """Refuse channels that nobody is reached on, and a time zone that there is none of."""
        for category, cells in change.switches.items():
            self._check_channels(f"switches.{category}", (channel for channel in cells if channel != ANY))
        for category, channels in change.channel_order.items():
            self._check_channels(f"channel_order.{category}", channels or ())
            if len(set(channels or ())) != len(channels or ()):
                raise InputError(f"channel_order.{category}", "names a channel twice")
        self._check_channels("consent", change.consent)
        if isinstance(change.time_zone, str) and find_zone(change.time_zone) is None:
            raise InputError("time_zone", "is no time zone known here; write an IANA name: America/Sao_Paulo")

    def _check_channels(self, field: str, channels: Iterable[Channel]) -> None:
        for channel in channels:
            if channel == INBOX:
                raise InputError(f"{field}.{INBOX}", "the inbox always has everything; name the channels after it")
            if channel not in self._channels:
                raise InputError(f"{field}.{channel}", f"must be one of {', '.join(self._channels)}")

    def _view(self, stored: Versioned, known: _Known) -> PreferencesView:
        own, person = stored.preferences, known.person
        named = {category for category in own.switches if category != ANY}
        words = {channel: consent_to(person, own, channel) for channel in self._channels}
        return PreferencesView(
            user=person.user,
            version=stored.version,
            categories={each: self._row(own, known, each) for each in sorted({*self._categories, *named})},
            switches=own.switches,
            channel_order=own.channel_order,
            digest_s=own.digest_s,
            wait_s=own.wait_s,
            quiet_hours=own.quiet_hours,
            time_zone=own.time_zone,
            in_force=self._in_force(own, person),
            snoozed_until_ms=own.snoozed_until_ms,
            consent={channel: word for channel, word in words.items() if word is not None},
            stopped=dict(self._house.stops),
            own_stops=known.stops,
        )

    def _row(self, own: Preferences, known: _Known, category: str) -> dict[Channel, bool]:
        return {
            channel: wish(own, category, channel).on
            and channel not in known.stops
            and not self._house.stopped(category, channel)
            for channel in self._channels
        }

    def _in_force(self, own: Preferences, person: Person) -> InForce:
        quiet = own.quiet_hours or self._house.quiet_hours
        never = quiet is None or quiet.start == quiet.end
        return InForce(None if never else quiet, str(zone_of(person, own, self._house)))


def zone_of(person: Person, preferences: Preferences, house: HouseRules) -> tzinfo:
    """Return the time zone a person lives in: as they say, else as the shop does, else that of the house."""
    return find_zone(preferences.time_zone or "") or find_zone(person.time_zone or "") or house.time_zone


def _whose(who: Identity, user: str | None) -> UserId:
    """Return whose preferences are meant: a person's own, or whose a service says."""
    if user is None or user == who.user:
        if who.role is Role.SERVICE:
            raise InputError("user", "is missing; a service says whose preferences it means")
        return who.user
    if who.role not in SERVICES:
        raise OperationFailed(Failure.FORBIDDEN, "these are somebody else's preferences")
    return UserId(user)


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1_000, UTC)
