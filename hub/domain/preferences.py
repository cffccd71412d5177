"""Preferences: what a person wants to be told, on which channels, and when. Pure.

The inbox always has everything; preferences are about the channels after it. `hub.domain.rulings` says what follows
from them for a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hub.domain.channels import Channel
from hub.domain.errors import InputError
from hub.domain.events import Consent, TimeZone
from hub.domain.people import Person
from hub.domain.quiet_hours import QuietHours

ANY = "*"
"""In the place of a category or a channel: all of them."""
MAX_CATEGORIES = 64
MAX_WORDS = 5
"""Words about consent that are remembered for each channel."""
CATEGORY_OR_ANY_PATTERN = r"^(\*|[a-z0-9][a-z0-9_.-]{0,63})\Z"
CHANNEL_OR_ANY_PATTERN = r"^(\*|[a-z][a-z0-9-]{0,31})\Z"

CategoryOrAny = Annotated[str, Meta(pattern=CATEGORY_OR_ANY_PATTERN)]
ChannelOrAny = Annotated[Channel, Meta(pattern=CHANNEL_OR_ANY_PATTERN)]
MIN_OWN_DIGEST_S, MAX_OWN_DIGEST_S = 900, 86_400
MAX_OWN_WAIT_S = 86_400
OwnDigest = Annotated[int, Meta(ge=0, le=MAX_OWN_DIGEST_S)]
"""In seconds; 0: never. In between nothing below `MIN_OWN_DIGEST_S` makes sense."""
OwnWait = Annotated[int, Meta(ge=0, le=MAX_OWN_WAIT_S)]
_K = TypeVar("_K", bound=str)
_V = TypeVar("_V")


class Preferences(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person has said. Nothing said: everything is on, but marketing, which needs consent."""

    switches: dict[str, dict[Channel, bool]] = {}
    """On or off, by category and channel; `*` stands for all of them."""
    channel_order: dict[str, tuple[Channel, ...]] = {}
    """Which channels to try first, by category or for all (`*`)."""
    digest_s: dict[str, int] = {}
    """For how long messages gather into one, by category or for all (`*`); 0: each goes alone."""
    wait_s: dict[str, int] = {}
    """How long to wait at least before another channel is tried, by category or for all (`*`)."""
    quiet_hours: QuietHours | None = None
    """None: the installation's."""
    time_zone: str | None = None
    """None: the one the shop knows the person to live in."""
    snoozed_until_ms: int = 0
    consent: dict[Channel, tuple[Consent, ...]] = {}
    """What the person has said here about marketing, the newest last; each with its time."""


class PreferenceChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to change: what is left out stays as it was, null takes back what was said."""

    switches: Mapping[CategoryOrAny, Mapping[ChannelOrAny, bool | None]] = {}
    channel_order: dict[CategoryOrAny, Annotated[tuple[Channel, ...], Meta(max_length=16)] | None] = {}
    digest_s: dict[CategoryOrAny, OwnDigest | None] = {}
    wait_s: dict[CategoryOrAny, OwnWait | None] = {}
    quiet_hours: QuietHours | UnsetType | None = UNSET
    time_zone: TimeZone | UnsetType | None = UNSET
    snoozed_until_ms: int | UnsetType | None = UNSET
    consent: dict[Channel, Consent] = {}


class Wish(msgspec.Struct, frozen=True):
    """Whether a person wants a category on a channel, and where they have said so: None by default."""

    on: bool
    said: tuple[str, str] | None = None
    """Category and channel, `*` for all."""


_decoder = msgspec.json.Decoder(Preferences)
_encoder = msgspec.json.Encoder()


def decode_preferences(body: bytes) -> Preferences:
    """Decode stored preferences."""
    return _decoder.decode(body)


def encode_preferences(preferences: Preferences) -> bytes:
    """Encode preferences as they are stored."""
    return _encoder.encode(preferences)


def wish(preferences: Preferences, category: str, channel: Channel) -> Wish:
    """Return whether the person wants a category on a channel.

    The word on just this pair decides. Else what they have said about the whole category, the whole channel or
    everything: one "off" is enough.
    """
    own = preferences.switches.get(category, {}).get(channel)
    if own is not None:
        return Wish(own, (category, channel))
    broad = ((category, ANY), (ANY, channel), (ANY, ANY))
    said = [(place, on) for place in broad if (on := _switch(preferences, *place)) is not None]
    place, on = min(said, key=lambda each: each[1], default=(None, True))
    return Wish(on, place)


def _switch(preferences: Preferences, category: str, channel: str) -> bool | None:
    return preferences.switches.get(category, {}).get(Channel(channel))


def preferred_order(preferences: Preferences, category: str) -> tuple[Channel, ...]:
    """Return which channels to try first for a category; empty: as the rule says."""
    return preferences.channel_order.get(category) or preferences.channel_order.get(ANY, ())


class Pace(msgspec.Struct, frozen=True):
    """How a person wants the ladders of a category paced. `digest_s` None: as the rule says; 0: nothing gathers."""

    digest_s: int | None = None
    wait_s: int = 0
    """The least wait before another channel is tried."""


def pace_of(preferences: Preferences, category: str) -> Pace:
    """Return how a person wants a category paced: what was said of it goes before what was said of all."""
    digests, waits = preferences.digest_s, preferences.wait_s
    return Pace(digests.get(category, digests.get(ANY)), waits.get(category, waits.get(ANY, 0)))


def consent_to(person: Person, preferences: Preferences, channel: Channel) -> Consent | None:
    """Return the newest word about marketing on a channel, from here or from the shop; None: there is none.

    Where both have the same time, the refusal counts. A grant that the shop reports without saying when it was given
    does not undo a refusal made here: it may well be the old one, told again.
    """
    own = preferences.consent.get(channel, ())[-1:]
    told = person.consent.get(channel)
    if told is None:
        return own[0] if own else None
    if not own:
        return told
    return max((told, _told_ms(person, channel, told)), (own[0], _at_ms(own[0])), key=_precedence)[0]


def _precedence(word: tuple[Consent, int]) -> tuple[int, bool]:
    return word[1], not word[0].granted


def _told_ms(person: Person, channel: Channel, told: Consent) -> int:
    if told.at is not None:
        return _at_ms(told)
    stamp = person.stamps.get(f"consent.{channel}")
    return 0 if told.granted or stamp is None else stamp[1]


def _at_ms(word: Consent) -> int:
    return 0 if word.at is None else round(word.at.timestamp() * 1_000)


def changed(preferences: Preferences, change: PreferenceChange) -> Preferences:
    """Return the preferences after a change: the very same where it says nothing new.

    Raises InputError for more categories than anybody has, and for a digest that is too short to be one.
    """
    switches = {**preferences.switches}
    for category, cells in change.switches.items():
        switches[category] = _merged(switches.get(category, {}), cells)
    after = msgspec.structs.replace(
        preferences,
        switches={category: cells for category, cells in switches.items() if cells},
        channel_order=_merged(preferences.channel_order, change.channel_order),
        digest_s=_merged(preferences.digest_s, change.digest_s),
        wait_s=_merged(preferences.wait_s, change.wait_s),
        quiet_hours=_newer(change.quiet_hours, preferences.quiet_hours),
        time_zone=_newer(change.time_zone, preferences.time_zone),
        snoozed_until_ms=_newer(change.snoozed_until_ms, preferences.snoozed_until_ms) or 0,
        consent={**preferences.consent, **_consents(preferences, change)},
    )
    for field in ("switches", "channel_order", "digest_s", "wait_s"):
        if len(getattr(after, field)) > MAX_CATEGORIES:
            raise InputError(field, f"names more than {MAX_CATEGORIES} categories")
    for category, digest_s in after.digest_s.items():
        if 0 < digest_s < MIN_OWN_DIGEST_S:
            bounds = f"{MIN_OWN_DIGEST_S} to {MAX_OWN_DIGEST_S} seconds"
            raise InputError(f"digest_s.{category}", f"must be {bounds}, or 0: each message goes alone")
    return preferences if after == preferences else after


def _consents(preferences: Preferences, change: PreferenceChange) -> dict[Channel, tuple[Consent, ...]]:
    """Return all words about the channels that are mentioned."""
    return {
        channel: _remembered(preferences.consent.get(channel, ()), word) for channel, word in change.consent.items()
    }


def _remembered(before: tuple[Consent, ...], word: Consent) -> tuple[Consent, ...]:
    """Return the words with the new one. Of one that is said again and again, the first and the last time are kept."""
    known = before[:-1] if len(before) > 1 and all(_same_word(each, word) for each in before[-2:]) else before
    return (*known, word)[-MAX_WORDS:]


def _same_word(one: Consent, other: Consent) -> bool:
    return (one.granted, one.source, one.wording) == (other.granted, other.source, other.wording)


def _merged(before: Mapping[_K, _V], news: Mapping[_K, _V | None]) -> dict[_K, _V]:
    both: dict[_K, _V | None] = {**before, **news}
    return {name: value for name, value in both.items() if value is not None}


def _newer(value: _V | UnsetType | None, before: _V | None) -> _V | None:
    return before if value is UNSET else value
