"""Preferences: what people want to be told, kept until they are erased and changed by compare-and-set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from hub.domain.decisions import Aggregate, AggregateKind
from hub.domain.ids import UserId
from hub.domain.preferences import Preferences, decode_preferences, encode_preferences
from hub.store.connection import read_pipelined
from hub.store.keys import Keys
from hub.store.round_trip import Command
from hub.store.scripts import Call, Scripts, load_script
from hub.store.server import Server

_PUT = load_script("preferences_put")
_ERASED = -1


class Versioned(msgspec.Struct, frozen=True):
    """A person's preferences; version 0: they have said nothing yet."""

    version: int
    preferences: Preferences


class Written(msgspec.Struct, frozen=True):
    """They are stored as `version`."""

    version: int


class Outdated(msgspec.Struct, frozen=True):
    """Somebody else has changed them since they were read: read again, decide again."""


class NobodyThere(msgspec.Struct, frozen=True):
    """The person has been erased: nothing is kept about them any more."""


PutResult: TypeAlias = Written | Outdated | NobodyThere
_NOTHING = Versioned(0, Preferences())


class PreferenceBook:
    """The preferences of one installation. Every method raises StoreUnavailable."""

    def __init__(self, server: Server, scripts: Scripts, keys: Keys) -> None:
        self._server = server
        self._scripts = scripts
        self._keys = keys

    async def read_many(self, users: Sequence[UserId]) -> list[Versioned]:
        """Return the preferences of people in the order asked, in one round trip."""
        reads: list[Command] = [("HMGET", self._keys.preferences(user), "v", "body") for user in users]
        replies = await read_pipelined(self._server, reads, what="preferences read")
        return [Versioned(int(version), decode_preferences(body)) if version else _NOTHING for version, body in replies]

    async def read(self, user: UserId) -> Versioned:
        """Return the preferences of one person."""
        (found,) = await self.read_many([user])
        return found

    async def put(self, user: UserId, preferences: Preferences, *, expected_version: int) -> PutResult:
        """Store preferences if their version is still the expected one. May be repeated."""
        keys = (self._keys.preferences(user), self._keys.document(Aggregate(AggregateKind.PERSON, user)))
        call = Call(keys, (expected_version, encode_preferences(preferences)))
        version = int(await self._scripts.run(_PUT, call))
        if version == _ERASED:
            return NobodyThere()
        return Written(version) if version else Outdated()
