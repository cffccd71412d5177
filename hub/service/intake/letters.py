"""Dead letters from the operator's side: try one again, after the cause has been mended."""

from __future__ import annotations

import msgspec

from hub.domain.cloudevents import decode_binary, decode_structured
from hub.domain.decisions import Outcome
from hub.domain.envelope import Event, Incoming, Origin, Source
from hub.domain.errors import InputError
from hub.domain.notifications import Job
from hub.observe import logger
from hub.service.intake.ingest import Ingest
from hub.store.dead_letters import DeadLetter, DeadLetters
from hub.store.jobs import Jobs

_log = logger(__name__)
_JOB_ORIGIN = "job "


class Letters:
    """Tries dead letters again. A letter is dropped only after its effects are written; none is repeated."""

    def __init__(self, *, dead_letters: DeadLetters, ingest: Ingest, jobs: Jobs) -> None:
        self._dead_letters = dead_letters
        self._ingest = ingest
        self._jobs = jobs

    async def retry(self, letter: DeadLetter, *, now_ms: int) -> str:
        """Try a letter again and return what became of it, in words.

        Raises InputError where it still cannot be decoded, contradicts what is known or cannot be read as a job; the
        letter then stays. Raises StoreUnavailable.
        """
        if letter.origin.startswith(_JOB_ORIGIN):
            outcome = await self._schedule(letter, now_ms)
        else:
            outcome = await self._process(letter, now_ms)
        # A worker may have had the job already, and put it aside again: that letter stays.
        await self._dead_letters.drop_read(letter)
        _log.info("dead letter retried", id=letter.id, outcome=outcome)
        return outcome

    async def _process(self, letter: DeadLetter, now_ms: int) -> str:
        if "specversion" in letter.attributes:
            decoded = decode_binary(letter.attributes, letter.body, received_ms=now_ms)
        else:
            decoded = decode_structured(letter.body, received_ms=now_ms)
        if not isinstance(decoded, Event):
            return Outcome.IGNORED
        (outcome,) = await self._ingest.process([Incoming(decoded, _origin_of(letter))])
        if outcome is Outcome.REJECTED:
            if letter.id != decoded.key:  # Ingest has written a new letter, with the reason of today.
                await self._dead_letters.drop(letter.id)
            raise InputError("event", f"it contradicts what is known; its dead letter is {decoded.key}")
        return outcome

    async def _schedule(self, letter: DeadLetter, now_ms: int) -> str:
        try:
            job = msgspec.json.decode(letter.body, type=Job)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InputError("body", f"this job cannot be read: {error}") from error
        scheduled = await self._jobs.schedule_again(msgspec.structs.replace(job, due_ms=now_ms))
        return "scheduled" if scheduled else "was scheduled before"


def _origin_of(letter: DeadLetter) -> Origin:
    source, _, place = letter.origin.partition(":")
    return Origin(Source(source), place) if source in set(Source) else Origin(Source.HTTP, letter.origin)
