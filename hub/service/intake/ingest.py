"""From events to effects: reads what a batch touches, decides, writes the changes, then carries out the effects.

Three or four round trips to Redis for a batch, or for each part of a large one: read the aggregates and the people
named, compare-and-set them, read who else is to be notified, write the effects. A crash between any two of them is
harmless: the batch was not acknowledged and comes again, an aggregate's timeline tells that its change was made, and
the same decisions are carried out with the same ids. What comes between - another event of that order, in another batch
or process - finds the last change without its effects, and carries them out first.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, assert_never

import msgspec

from hub.domain.decisions import Aggregate, Change, Decision, Document, Outcome
from hub.domain.dispatch import made_up_for
from hub.domain.envelope import Incoming, Rejected
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import EffectId, NotificationId
from hub.domain.rules import Playbook
from hub.observe import DEAD_LETTERS, DISPATCHED, logger
from hub.service.intake import kept_events
from hub.service.intake.batch import (
    NOT_IN_BATCH,
    Round,
    Task,
    aggregates_of,
    before_repeats,
    customers_of,
    decide_round,
    event_time,
    in_timeline_order,
    parked_under,
    tasks_to_redo,
)
from hub.service.intake.effects import Effects
from hub.service.intake.parts import independent_parts
from hub.store.dead_letters import DeadLetter, DeadLetters
from hub.store.documents import Applied, ApplyResult, Conflict, Documents, Overtaking, Unfinished
from hub.store.parked import Parked, Parking
from templates.texts import TemplateError

_log = logger(__name__)
_MAX_ROUNDS = 50
"""One round for each creation that others in the batch wait for, and one for each lost race."""
_MS = 1_000


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """Bounds on repeating and waiting."""

    replay_window_s: int
    park_timeout_s: int
    park_limit: int


@dataclass(slots=True)
class _Written:
    """What came of the changes of a round."""

    refused: list[Aggregate] = field(default_factory=list)
    """Their tasks are decided again, on what is there now."""
    woken: list[Task] = field(default_factory=list)
    """The events that were waiting for what has appeared."""
    overtaken: list[Task] = field(default_factory=list)
    """Events that still wait for what appeared earlier: they go before the tasks that were refused."""


class Ingest:
    """Takes decoded events from every way in. All of it is idempotent; calls may run side by side."""

    def __init__(
        self,
        *,
        documents: Documents,
        parked: Parked,
        dead_letters: DeadLetters,
        effects: Effects,
        playbook: Playbook,
        limits: IngestLimits,
        identity: Callable[[], Awaitable[str]],
        clock: Callable[[], int],
    ) -> None:
        """Take `identity`, which asks the Redis server for its run id, and a `clock` in Unix ms."""
        self._documents = documents
        self._parked = parked
        self._dead_letters = dead_letters
        self._effects = effects
        self._playbook = playbook
        self._limits = limits
        self._identity = identity
        self._clock = clock

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        """Return what became of each event, when every effect of all of them is written.

        Raises StoreUnavailable; the whole batch is then to be given again.
        """
        outcomes = [Outcome.IGNORED] * len(batch)
        parts = independent_parts([Task(index, incoming) for index, incoming in enumerate(batch)])
        await _side_by_side([self._work_off(part, outcomes) for part in parts])
        counts = Counter((incoming.event.type, outcome) for incoming, outcome in zip(batch, outcomes, strict=True))
        for (event_type, outcome), count in counts.items():
            DISPATCHED.labels(event_type, outcome).inc(count)
        return outcomes

    async def _work_off(self, tasks: Sequence[Task], outcomes: list[Outcome]) -> None:
        for _ in range(_MAX_ROUNDS):
            if not tasks:
                return
            tasks = await self._round(tasks, outcomes)
        raise StoreUnavailable(f"{tasks[0].incoming.event.type} from {tasks[0].incoming.origin} loses every race")

    async def reject(self, letters: Sequence[Rejected]) -> None:
        """Return when the letters are among the dead letters. Raises StoreUnavailable."""
        await self._bury([kept_events.letter_of(letter, at_ms=self._clock()) for letter in letters])
        for letter in letters:
            DEAD_LETTERS.labels(letter.origin.source, "undecodable").inc()
            _log.warning("dead letter", origin=str(letter.origin), field=letter.field, reason=letter.reason)

    async def generation(self) -> str:
        """Return the run id of the Redis server that takes the writes. Raises StoreUnavailable."""
        return await self._identity()

    async def give_up_parked(self, *, limit: int = 100) -> int:
        """Move events that waited too long to the dead letters; return how many. Raises StoreUnavailable."""
        expired = await self._parked.expired(self._clock(), limit)
        tasks = [_woken(body, aggregate) for aggregate, body in expired]
        decided = self._decide(tasks, await self._read(tasks))
        for task, aggregate in decided.parked:
            waited = f"{aggregate.kind} {aggregate.id} did not appear within {self._limits.park_timeout_s} s"
            await self._bury([self._letter(task.incoming, waited)])
            await self._unpark(task)
        overdue = {id(task) for task, _ in decided.parked}
        await self._work_off([task for task in tasks if id(task) not in overdue], [])
        return len(overdue)

    async def _round(self, tasks: Sequence[Task], outcomes: list[Outcome]) -> list[Task]:
        """Decide the tasks once, write what was decided and return the tasks that are left, in order."""
        documents = await self._read(tasks)
        decided = self._decide(tasks, documents)
        again = await self._park(decided, outcomes)
        heard = parked_under(tasks)
        waiting = await self._waiting(decided.replayed - heard)
        changes = [change for aggregate, change in decided.changes.items() if aggregate not in waiting]
        written = await self._apply(changes, documents, heard=heard)
        redo = tasks_to_redo(decided, refused=written.refused, waiting=waiting.keys())
        redone = {id(task) for task in redo}
        settled = [(task, decision) for task, decision in decided.decided if id(task) not in redone]
        unchanged = {
            aggregate: document for aggregate, document in documents.items() if aggregate not in decided.changes
        }
        first_told = before_repeats(
            decided, documents, aggregates=decided.replayed - waiting.keys(), playbook=self._playbook
        )
        told = [*first_told, *(decision for _, decision in in_timeline_order(settled))]
        untold = await self._effects.carry_out(told, known=unchanged)
        await self._settle(settled, outcomes, untold)
        first = sorted([*written.overtaken, *chain.from_iterable(waiting.values())], key=event_time)
        return [*first, *redo, *again, *sorted([*written.woken, *decided.woken], key=event_time), *decided.later]

    async def _read(self, tasks: Sequence[Task]) -> dict[Aggregate, Document]:
        aggregates = list(dict.fromkeys([*aggregates_of(tasks), *customers_of(tasks)]))
        return dict(zip(aggregates, await self._documents.read_many(aggregates), strict=True))

    def _decide(self, tasks: Sequence[Task], documents: dict[Aggregate, Document]) -> Round:
        return decide_round(
            tasks,
            documents,
            playbook=self._playbook,
            now_ms=self._clock(),
            replay_window_ms=self._limits.replay_window_s * _MS,
        )

    async def _apply(
        self, changes: Sequence[Change], documents: Mapping[Aggregate, Document], *, heard: AbstractSet[Aggregate]
    ) -> _Written:
        """Compare-and-set; `heard` are the aggregates whose parked events are among the tasks."""
        written = _Written()
        if not changes:
            return written
        results = await self._documents.apply_many(changes, heard=heard)
        unfinished = [change for change, result in zip(changes, results, strict=True) if isinstance(result, Unfinished)]
        if unfinished:
            finished = iter(await self._finish_and_apply(unfinished, documents, heard=heard))
            results = [next(finished) if isinstance(result, Unfinished) else result for result in results]
        for aggregate, result in zip((change.aggregate for change in changes), results, strict=True):
            match result:
                case Applied(parked=parked):
                    written.woken += (_woken(body, aggregate) for body in parked if aggregate not in heard)
                case Overtaking(parked=parked):
                    written.refused.append(aggregate)
                    written.overtaken += (_woken(body, aggregate) for body in parked)
                case Conflict() | Unfinished():
                    written.refused.append(aggregate)
                case _:
                    assert_never(result)
        return written

    async def _finish_and_apply(
        self, changes: Sequence[Change], documents: Mapping[Aggregate, Document], *, heard: AbstractSet[Aggregate]
    ) -> list[ApplyResult]:
        """Carry out what a crash cut off, or another process has yet to write, before what follows it; then apply."""
        cut_off = [
            decision
            for change in changes
            for decision in made_up_for(change.aggregate, documents[change.aggregate], playbook=self._playbook)
        ]
        await self._effects.carry_out(cut_off)
        unconditional = [msgspec.structs.replace(change, after=None) for change in changes]
        return await self._documents.apply_many(unconditional, heard=heard)

    async def _waiting(self, replayed: AbstractSet[Aggregate]) -> dict[Aggregate, list[Task]]:
        """Return the events that still wait for aggregates whose change was made before, where there are any."""
        aggregates = list(replayed)
        found = await self._parked.waiting_many(aggregates) if aggregates else []
        return {
            aggregate: [_woken(body, aggregate) for body in bodies]
            for aggregate, bodies in zip(aggregates, found, strict=True)
            if bodies
        }

    async def _park(self, decided: Round, outcomes: list[Outcome]) -> list[Task]:
        """Keep the events that wait for an aggregate; return those whose aggregate has appeared meanwhile."""
        again: list[Task] = []
        for task, aggregate in decided.parked:
            if task.parked_under == aggregate:
                continue  # Woken by a change that was not the one it waits for.
            match await self._keep(task.incoming, aggregate):
                case Parking.EXISTS:
                    again.append(task)
                    continue
                case Parking.FULL:
                    await self._bury([self._letter(task.incoming, f"too many events wait for {aggregate.id}")])
                    _note(task, Outcome.REJECTED, outcomes)
                case Parking.KEPT:
                    _note(task, Outcome.PARKED, outcomes)
            await self._unpark(task)
        return again

    async def _keep(self, incoming: Incoming, aggregate: Aggregate) -> Parking:
        now_ms = self._clock()
        return await self._parked.park(
            aggregate,
            kept_events.encode(incoming),
            effect=EffectId(incoming.event.key),
            now_ms=now_ms,
            deadline_ms=now_ms + self._limits.park_timeout_s * _MS,
            limit=self._limits.park_limit,
        )

    async def _settle(
        self,
        settled: Sequence[tuple[Task, Decision]],
        outcomes: list[Outcome],
        untold: Mapping[NotificationId, TemplateError],
    ) -> None:
        """Note the outcomes, bury what contradicts or has no text, and forget parked events that have had effects."""
        reasons = [_why_rejected(decision, untold) for _, decision in settled]
        letters = [
            self._letter(task.incoming, reason)
            for (task, _), reason in zip(settled, reasons, strict=True)
            if reason is not None
        ]
        await self._bury(letters)
        for (task, decision), reason in zip(settled, reasons, strict=True):
            _note(task, decision.outcome if reason is None else Outcome.REJECTED, outcomes)
            await self._unpark(task)

    async def _unpark(self, task: Task) -> None:
        if task.parked_under is not None:
            await self._parked.unpark(task.parked_under, [task.parked_as])

    def _letter(self, incoming: Incoming, reason: str) -> DeadLetter:
        DEAD_LETTERS.labels(incoming.origin.source, "undispatchable").inc()
        _log.warning("dead letter", origin=str(incoming.origin), type=incoming.event.type, reason=reason)
        return kept_events.letter_of_event(incoming, reason=reason, at_ms=self._clock())

    async def _bury(self, letters: Sequence[DeadLetter]) -> None:
        if letters:
            await self._dead_letters.add_many(letters)


def _why_rejected(decision: Decision, untold: Mapping[NotificationId, TemplateError]) -> str | None:
    """Return why an event is put aside, None where it is not. Tried again, it tells whom it has not told."""
    if decision.outcome is Outcome.REJECTED:
        return decision.reason
    return next((str(untold[each.id]) for each in decision.notifications if each.id in untold), None)


async def _side_by_side(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Return when all are done; raise the first error, but only then: whoever tries again is alone."""
    if len(works) == 1:
        await works[0]
        return
    for result in await asyncio.gather(*works, return_exceptions=True):
        if result is not None:
            raise result


def _woken(body: bytes, aggregate: Aggregate) -> Task:
    return Task(NOT_IN_BATCH, kept_events.decode(body), body, aggregate)


def _note(task: Task, outcome: Outcome, outcomes: list[Outcome]) -> None:
    """Tell the caller what became of an event of its batch; count one that had been parked by an earlier batch."""
    if task.index == NOT_IN_BATCH:
        DISPATCHED.labels(task.incoming.event.type, outcome).inc()
    else:
        outcomes[task.index] = outcome
