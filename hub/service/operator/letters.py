"""`ops.dead_letters`, `ops.dead_letters_retry`, `ops.dead_letters_drop`: what was put aside, and what to do with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from hub.domain.errors import InputError
from hub.service.operations import SERVICES, AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.store.dead_letters import MAX_PAGE, DeadLetter, LetterPage

_READS = Rate(count=240, window_s=60.0)
_WRITES = Rate(count=60, window_s=60.0)
_PAGE = 20
_AT_ONCE = 50
_SHOWN_BYTES = 4_096
LetterId = Annotated[str, Meta(min_length=1, max_length=512)]


class Letters(Protocol):
    """Tries letters again (hub.service.intake.letters)."""

    async def retry(self, letter: DeadLetter, *, now_ms: int) -> str:
        """Return what became of it. Raises InputError where it fails again, StoreUnavailable."""
        ...


class Store(Protocol):
    """The dead letters (hub.store.dead_letters). Every method raises StoreUnavailable."""

    async def list(self, *, cursor: str | None = None, limit: int = MAX_PAGE) -> LetterPage:
        """Return some, the newest first. Raises InputError for a bad cursor."""
        ...

    async def get(self, letter_id: str) -> DeadLetter | None:
        """Return one."""
        ...

    async def drop(self, letter_id: str) -> bool:
        """Delete one."""
        ...

    async def count(self) -> int:
        """Return how many there are."""
        ...


class AskLetters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page: without a cursor the newest."""

    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = _PAGE


class LetterView(msgspec.Struct, frozen=True):
    """A dead letter. `body` is its beginning, up to 4 KiB, with what is no UTF-8 replaced; `size` is the whole."""

    id: str
    at_ms: int
    origin: str
    field: str
    reason: str
    attributes: dict[str, str]
    body: str
    size: int


class LetterList(msgspec.Struct, frozen=True):
    """Some dead letters, the newest first. `total` counts all; `next_cursor` None: these were the last."""

    letters: tuple[LetterView, ...]
    total: int
    next_cursor: str | None


class ChosenLetters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which letters, up to 50."""

    ids: Annotated[tuple[LetterId, ...], Meta(min_length=1, max_length=_AT_ONCE)]


class LetterOutcome(msgspec.Struct, frozen=True):
    """What became of one letter. Where it is not `done`, it is still there, unless `outcome` says it was unknown."""

    id: str
    done: bool
    outcome: str


class LetterOutcomes(msgspec.Struct, frozen=True):
    """What became of each letter, in the order asked."""

    results: tuple[LetterOutcome, ...]


class OperatorLetters:
    """Shows dead letters and acts on them. One that fails does not keep the others back."""

    def __init__(self, store: Store, letters: Letters) -> None:
        self._store = store
        self._letters = letters

    async def show(self, _: Call, request: AskLetters) -> LetterList:
        """Return a page of letters. Raises InputError for a cursor that no page has given, StoreUnavailable."""
        page = await self._store.list(cursor=request.cursor, limit=request.limit)
        return LetterList(tuple(map(_view, page.letters)), await self._store.count(), page.cursor)

    async def retry(self, call: Call, request: ChosenLetters) -> LetterOutcomes:
        """Process letters again; those that work are dropped. Raises StoreUnavailable, with some done."""

        async def again(letter: DeadLetter) -> str:
            return await self._letters.retry(letter, now_ms=call.now_ms)

        return await self._each(request, again)

    async def drop(self, _: Call, request: ChosenLetters) -> LetterOutcomes:
        """Delete letters. Raises StoreUnavailable, with some done."""

        async def delete(letter: DeadLetter) -> str:
            await self._store.drop(letter.id)
            return "dropped"

        return await self._each(request, delete)

    async def _each(self, request: ChosenLetters, act: Callable[[DeadLetter], Awaitable[str]]) -> LetterOutcomes:
        results: list[LetterOutcome] = []
        for letter_id in dict.fromkeys(request.ids):
            letter = await self._store.get(letter_id)
            if letter is None:
                results.append(LetterOutcome(letter_id, done=False, outcome="there is no such dead letter"))
                continue
            try:
                results.append(LetterOutcome(letter_id, done=True, outcome=await act(letter)))
            except InputError as error:
                results.append(LetterOutcome(letter_id, done=False, outcome=str(error)))
        return LetterOutcomes(tuple(results))

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what operators can ask for here."""
        show: Operation[AskLetters, LetterList] = Operation(
            name="ops.dead_letters",
            summary="Show what could not be processed, the newest first.",
            request=AskLetters,
            response=LetterList,
            roles=SERVICES,
            http=Http("GET", "/v1/ops/dead-letters"),
            handler=self.show,
            rate=_READS,
            repeat=Repeat.READS,
        )
        return show, self._acting("retry", self.retry), self._acting("drop", self.drop)

    @staticmethod
    def _acting(
        name: str, handler: Callable[[Call, ChosenLetters], Awaitable[LetterOutcomes]]
    ) -> Operation[ChosenLetters, LetterOutcomes]:
        does = {"retry": "Process dead letters again; those that work are dropped.", "drop": "Delete dead letters."}
        return Operation(
            name=f"ops.dead_letters_{name}",
            summary=does[name],
            request=ChosenLetters,
            response=LetterOutcomes,
            roles=SERVICES,
            http=Http("POST", f"/v1/ops/dead-letters/{name}"),
            handler=handler,
            rate=_WRITES,
            repeat=Repeat.IDEMPOTENT,
        )


def _view(letter: DeadLetter) -> LetterView:
    body = letter.body[:_SHOWN_BYTES].decode(errors="replace")
    return LetterView(
        letter.id,
        letter.at_ms,
        letter.origin,
        letter.field,
        letter.reason,
        letter.attributes,
        body,
        len(letter.body),
    )
