"""Dead letters: what could not be processed, with why and from where, until an operator retries or drops it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hub.domain.errors import InputError
from hub.store.connection import read_pipelined
from hub.store.keys import Keys
from hub.store.round_trip import Command
from hub.store.scripts import Call, Scripts, load_script
from hub.store.server import Server

_ADD = load_script("dead_letter_add")
_DROP = load_script("dead_letter_drop")
_LIST = load_script("dead_letter_list")

MAX_PAGE = 100
_CURSOR_DIGITS = 15


class DeadLetter(msgspec.Struct, frozen=True):
    """One input or job that was put aside. `origin` is its way in and place, such as `kafka orders/3/1842`.

    `field` names the part of the input that is wrong, empty where it is not one field. `body` are the raw bytes.
    `at_ms` is when it was put aside.
    """

    id: str
    origin: str
    reason: str
    field: str
    body: bytes
    at_ms: int
    content_type: str = ""
    attributes: dict[str, str] = {}
    """The attributes of an event in binary mode, without which `body` could not be tried again."""


class LetterPage(msgspec.Struct, frozen=True):
    """Some dead letters, the last one put aside first. `cursor` asks for those after them, None: there are no more."""

    letters: tuple[DeadLetter, ...]
    cursor: str | None


class DeadLetters:
    """The dead letters of one installation, bounded by count and age. Every method raises StoreUnavailable."""

    def __init__(
        self, server: Server, scripts: Scripts, keys: Keys, *, limit: int = 10_000, max_age_s: int = 30 * 86_400
    ) -> None:
        """Take `limit`, beyond which the oldest letters leave, and `max_age_s`, at which they do anyway."""
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._bounds = (limit, max_age_s * 1_000)

    async def add_many(self, letters: Sequence[DeadLetter]) -> list[bool]:
        """Put letters aside, in order and in one round trip; False where one of that id lay there, which is renewed."""
        keys = self._all_keys()
        calls = [Call(keys, (letter.id, _encoded(letter), letter.at_ms, *self._bounds)) for letter in letters]
        return [reply == 1 for reply in await self._scripts.run_many(_ADD, calls)]

    async def list(self, *, cursor: str | None = None, limit: int = MAX_PAGE) -> LetterPage:
        """Return up to `limit` (1-100) letters after `cursor`. Raises InputError for bad bounds."""
        if not 1 <= limit <= MAX_PAGE:
            raise InputError("limit", f"must be 1 to {MAX_PAGE}")
        if cursor is not None and not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= _CURSOR_DIGITS):
            raise InputError("cursor", "is not one that a page has given")
        following, bodies = await self._scripts.run(_LIST, Call(self._all_keys()[:2], (cursor or "", limit)))
        return LetterPage(tuple(_letter(body) for body in bodies), following.decode() or None)

    async def get(self, letter_id: str) -> DeadLetter | None:
        """Return one letter, None where there is none of that id."""
        read: Command = ("HGET", self._keys.dead_letters("body"), letter_id)
        (body,) = await read_pipelined(self._server, [read], what="dead letter read")
        return _letter(body) if body else None

    async def drop(self, letter_id: str) -> bool:
        """Delete one letter; False where there is none of that id."""
        return bool(await self._scripts.run(_DROP, Call(self._all_keys(), (letter_id,))))

    async def drop_read(self, letter: DeadLetter) -> bool:
        """Delete one letter as it was read; False where it is gone, or has been put aside anew since."""
        return bool(await self._scripts.run(_DROP, Call(self._all_keys(), (letter.id, _encoded(letter)))))

    async def count(self) -> int:
        """Return how many letters there are."""
        read: Command = ("HLEN", self._keys.dead_letters("body"))
        (count,) = await read_pipelined(self._server, [read], what="dead letter count")
        return int(count)

    def _all_keys(self) -> tuple[str, str, str]:
        return self._keys.dead_letters("index"), self._keys.dead_letters("body"), self._keys.dead_letters("age")


def _encoded(letter: DeadLetter) -> bytes:
    return msgspec.msgpack.encode(letter)


def _letter(body: bytes) -> DeadLetter:
    return msgspec.msgpack.decode(body, type=DeadLetter)
