"""Writes batches to the store: waits out an outage, and keeps one bad event from stopping those behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from consumers.backoff import Backoff
from consumers.batch import Batch
from consumers.ports import Generation, Ingest
from consumers.readiness import Readiness
from hub.domain.envelope import Rejected
from hub.domain.errors import DoorbellError, StoreUnavailable
from hub.observe import CONSUMED, logger

_FIRST_WAIT_S = 0.2
_MAX_WAIT_S = 5.0
_MAX_FAILURES_IN_A_ROW = 20
"""So many events that fail one after the other are no poison: the program or the store's state is broken."""

_log = logger("consumers.intake")


class DeadLetterCopy(Protocol):
    """A second place for dead letters. Raises CopyUnavailable while it cannot take them."""

    async def copy(self, letters: Sequence[Rejected], /) -> None:
        """Return when all letters are taken. The same letter twice is possible after a failure."""
        ...


class CopyUnavailable(DoorbellError):
    """The second place for dead letters cannot be reached: wait, lose nothing."""


class Intake:
    """The way into the store for one consumer. One `write` at a time."""

    def __init__(self, ingest: Ingest, readiness: Readiness, *, copy: DeadLetterCopy | None = None) -> None:
        self._ingest = ingest
        self._readiness = readiness
        self._copy = copy
        self._generation: Generation | None = None
        self._failures_in_a_row = 0
        self.holding = False
        """Whether a batch waits for the store to come back."""

    async def write(self, batch: Batch) -> Generation:
        """Return when the effects of the whole batch are written, with the generation they were written under.

        Tries until it can: an outage of Redis or of the dead letters' second place only shows in the readiness.
        Cancellation leaves the outcome unknown, and giving the batch again repeats nothing. An event that fails alone
        becomes a dead letter; when more than 20 do in a row, the failure is raised.
        """
        backoff = Backoff(first_s=_FIRST_WAIT_S, max_s=_MAX_WAIT_S)
        try:
            while (generation := await self._tried(batch)) is None:
                self.holding = True
                await asyncio.sleep(backoff.next_s())
        finally:
            self.holding = False
        _count(batch)
        return generation

    async def read_generation(self) -> Generation | None:
        """Ask Redis in which life it is; None while it does not answer."""
        try:
            self._generation = Generation(await self._ingest.generation())
        except StoreUnavailable as error:
            self._generation = None
            self._readiness.trouble("redis", f"Redis: {error}")
        else:
            if not self.holding:
                self._readiness.fine("redis")
        return self._generation

    async def _tried(self, batch: Batch) -> Generation | None:
        # Read before the first write; a value left from an earlier batch is older still, which is safe.
        generation = self._generation or await self.read_generation()
        if generation is None:
            return None
        try:
            await self._process(batch)
            if batch.letters:
                await self._ingest.reject(batch.letters)
                await self._copied(batch.letters)
        except StoreUnavailable as error:
            self._generation = None
            self._readiness.trouble("redis", f"Redis: {error}")
            return None
        except CopyUnavailable as error:
            self._readiness.trouble("dead letters", f"The topic of dead letters: {error}")
            return None
        self._readiness.fine("redis")
        self._readiness.fine("dead letters")
        return generation

    async def _process(self, batch: Batch) -> None:
        if not batch.incoming:
            return
        try:
            await self._ingest.process(batch.incoming)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - logged, and found out below whose fault it is
            _log.exception("batch_failed", source=batch.source, events=len(batch.incoming))
            await self._process_one_by_one(batch)
        else:
            self._failures_in_a_row = 0

    async def _process_one_by_one(self, batch: Batch) -> None:
        # An event leaves the batch only when it has become a letter, so an outage in the middle loses nothing.
        for incoming in tuple(batch.incoming):
            try:
                await self._ingest.process((incoming,))
            except StoreUnavailable:
                raise
            except Exception as error:
                self._failures_in_a_row += 1
                if self._failures_in_a_row > _MAX_FAILURES_IN_A_ROW:
                    raise
                _log.exception("event_failed", origin=str(incoming.origin), key=incoming.event.key)
                batch.withdraw(incoming, reason=f"processing failed: {type(error).__name__}")
            else:
                self._failures_in_a_row = 0

    async def _copied(self, letters: Sequence[Rejected]) -> None:
        if self._copy is not None:
            await self._copy.copy(letters)


def _count(batch: Batch) -> None:
    for outcome, count in (
        ("processed", len(batch.incoming)),
        ("rejected", len(batch.letters)),
        ("unknown_type", batch.unknown),
    ):
        if count:
            CONSUMED.labels(batch.source, outcome).inc(count)
