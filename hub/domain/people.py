"""A person: contacts, language, time zone and consent. Every field remembers the newest word on it.

Updates name only what changed, so a late one is not stale as a whole: each field, and the consent for each channel, is
taken from the newest event that mentions it.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from hub.domain.channels import Channel
from hub.domain.decisions import Document
from hub.domain.envelope import Event
from hub.domain.events import Consent, UserUpdated
from hub.domain.ids import EventKey, UserId

Stamp = tuple[int, int, EventKey]
"""(version, time in ms, event) of the newest word on a field."""
_FIELDS = ("email", "phone", "name", "locale", "time_zone")


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person as they are kept. None: not known, or removed. An erased person has nothing but their id."""

    user: UserId
    email: str | None = None
    phone: str | None = None
    name: str | None = None
    locale: str | None = None
    """BCP 47, as the backend wrote it: `pt-BR` or `pt_BR`."""
    time_zone: str | None = None
    """An IANA name, which this machine may not know."""
    consent: dict[Channel, Consent] = {}
    """What the person has said about marketing, by channel. A channel that is not there: nothing, so no."""
    erased: bool = False
    """The tombstone: everything is gone and nothing may be added or sent."""
    stamps: dict[str, Stamp] = {}


_decoder = msgspec.json.Decoder(Person)
_encoder = msgspec.json.Encoder()


def decode_person(body: bytes) -> Person:
    """Decode the document of a person."""
    return _decoder.decode(body)


def encode_person(person: Person) -> bytes:
    """Encode a person as the body of their document."""
    return _encoder.encode(person)


def tombstone(user: UserId) -> Person:
    """Return what stays of a person who was erased."""
    return Person(user, erased=True)


def person_of(document: Document, user: UserId) -> Person:
    """Return the person in a document; of one who is not known yet, only the id."""
    return decode_person(document.body) if document.version else Person(user)


def has_seen(person: Person, event: EventKey) -> bool:
    """Say whether something known about the person comes from this event."""
    return any(stamp[2] == event for stamp in person.stamps.values())


def updated(person: Person, event: Event, data: UserUpdated) -> Person:
    """Return the person after `user.updated`: the very same where the event has nothing new."""
    stamp = (data.version or 0, event.time_ms, event.key)
    news = {
        field: value
        for field in _FIELDS
        if (value := getattr(data, field)) is not UNSET and _is_newer(person, field, stamp)
    }
    consent = {
        channel: word
        for channel, word in (data.consent.items() if data.consent is not UNSET else ())
        if _is_newer(person, f"consent.{channel}", stamp)
    }
    if not news and not consent:
        return person
    stamps = dict.fromkeys([*news, *(f"consent.{channel}" for channel in consent)], stamp)
    return msgspec.structs.replace(
        person, **news, consent={**person.consent, **consent}, stamps={**person.stamps, **stamps}
    )


def _is_newer(person: Person, field: str, stamp: Stamp) -> bool:
    known = person.stamps.get(field)
    return known is None or stamp > known
