"""`notifications.send_many`: one message for up to 10,000 people, or a segment, in one call.

The call checks and keeps the recipients and answers; the delivery role works them off in the background
(`hub.service.sending.bulk_expansion`). Recipients stand alone: one that is not valid keeps no other from being sent to.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from hub.domain.bulks import MAX_RECIPIENTS, Bulk, BulkId, BulkOutcome, Recipient, bulk_id
from hub.domain.channels import BUILT_IN, Channel
from hub.domain.errors import InputError
from hub.domain.events import Instant
from hub.domain.ids import TemplateName, UserId
from hub.domain.notifications import MARKETING, Lane
from hub.observe import logger
from hub.service.decoding import decode_json
from hub.service.failures import Failure, FieldProblem, OperationFailed
from hub.service.operations import KIB, SERVICES, AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.service.sending.notifications import (
    MAX_STEPS,
    Name,
    SendStep,
    SendThrottle,
    User,
    begins_ms,
    check_context,
    ladder_of,
    lane_for,
    needed_by,
    throttle_of,
)
from hub.service.sending.segments import SegmentName
from hub.store.bulks import Beginning, Busy, Filling, Known, Progress
from hub.store.outcomes_of_bulks import BULK_TTL_S
from hub.store.segments import Segment

_log = logger(__name__)
MAX_BODY_BYTES = 8_192 * KIB
TOLD_MAX = 1_000
"""Refused recipients that are told one by one; all of them are counted."""
_TOLD_ERRORS = 20
_SLICE = 200
"""Recipients that are checked before others have their turn: about a millisecond."""
_WRITTEN = 500
_RETRY_S = 2.0

BulkName = Annotated[str, Meta(min_length=1, max_length=128)]


class SendRecipient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the people, and what the template shows to them alone."""

    user: User
    context: dict[str, Any] = {}


_RawRecipient = Annotated[
    msgspec.Raw, Meta(extra_json_schema=msgspec.json.schema(SendRecipient)["$defs"]["SendRecipient"])
]


class SendMany(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to tell many people: a template, what it shows to all of them, and either `recipients` or a `segment`."""

    id: BulkName | None = None
    """Your own id for it: sending the same id again sends nothing more."""
    template: Name
    context: dict[str, Any] = {}
    """A recipient's own context goes before it, field by field."""
    recipients: Annotated[tuple[_RawRecipient, ...], Meta(max_length=MAX_RECIPIENTS)] = ()
    segment: SegmentName | None = None
    category: Name = MARKETING
    lane: Lane | None = None
    """None: `marketing` for categories that are marketing alone, which have no other, `transactional` for others."""
    ladder: Annotated[tuple[SendStep, ...], Meta(max_length=MAX_STEPS)] = ()
    expires_in_s: Annotated[int, Meta(ge=1, le=90 * 86_400)] | None = None
    collapse_key: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    link: Annotated[str, Meta(pattern=r"^/(?![/\\])[^\s\x00-\x1f\x7f]{0,500}\Z")] | None = None
    send_at: Instant | None = None
    """When it begins; now where that has passed."""
    throttle: SendThrottle | None = None
    """How many of its kind reach each of the people beyond the inbox."""


class Taking(StrEnum):
    """What became of a bulk."""

    ACCEPTED = "accepted"
    """Its recipients are kept, and are reached one after the other from now on, or from `send_at`."""
    DUPLICATE = "duplicate"
    """The same id was sent before."""


class RefusedRecipient(msgspec.Struct, frozen=True):
    """A recipient that was not taken. `index` is the place in the request."""

    index: int
    field: str
    problem: str


class BulkTaken(msgspec.Struct, frozen=True):
    """The bulk's id, and how many people it goes to. `refused` lists up to 1,000 of those that were not taken."""

    id: BulkId
    status: Taking
    accepted: int
    refused_count: int
    refused: tuple[RefusedRecipient, ...]


class NamedBulk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which bulk, by the id that `notifications.send_many` has answered."""

    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]


class BulkCounts(msgspec.Struct, frozen=True):
    """How many people there are by what became of it for them, the best that is known."""

    waiting: int
    sent: int
    unknown: int
    failed: int
    skipped: int
    cancelled: int
    refused: int


class BulkStatus(msgspec.Struct, frozen=True):
    """How far a bulk is. `reached` of `accepted` people have it in their inbox, or it is known that they cannot."""

    id: BulkId
    accepted: int
    reached: int
    over: bool
    """Whether nobody else will be reached; messages may still be on their way."""
    cancelled: bool
    retries: int
    counts: BulkCounts


class Retried(msgspec.Struct, frozen=True):
    """How many people it is sent to again: those for whom it had failed."""

    retried: int


class Store(Protocol):
    """The bulks (hub.store.bulks). Every method raises StoreUnavailable."""

    async def begin(self, bulk: BulkId) -> Beginning:
        """Begin to take a bulk in."""
        ...

    async def write(self, bulk: BulkId, first_chunk: int, recipients: Sequence[Recipient]) -> int:
        """Write recipients from a chunk on; return the next chunk."""
        ...

    async def open(self, bulk: Bulk, filling: Filling) -> bool:
        """Make it known and have it worked off."""
        ...

    async def progress(self, bulk: BulkId) -> Progress | None:
        """Return how far it is."""
        ...

    async def cancel(self, bulk: BulkId) -> bool:
        """Have nobody else reached and what waits dropped; False where there is no such bulk."""
        ...

    async def again(self, bulk: BulkId) -> int | None:
        """Begin another round for what has failed."""
        ...


class Counts(Protocol):
    """The outcomes (hub.store.outcomes_of_bulks). Raises StoreUnavailable."""

    async def counts(self, bulk: BulkId) -> dict[BulkOutcome, int]:
        """Return how many people have each outcome."""
        ...


class SegmentBook(Protocol):
    """The segments (hub.store.segments). Raises StoreUnavailable."""

    async def read(self, name: str) -> Segment | None:
        """Return a segment."""
        ...

    async def keep(self, name: str, generation: str, *, until_ms: int) -> bool:
        """Have its members of now readable until then; False where they are gone."""
        ...


class BulkSending:
    """Takes bulks from services, and says how far they are."""

    def __init__(
        self,
        store: Store,
        outcomes: Counts,
        segments: SegmentBook,
        *,
        templates: Mapping[str, frozenset[str]],
        channels: Sequence[Channel] = BUILT_IN,
        promotional: Collection[str] = (MARKETING,),
    ) -> None:
        """Take which fields each template must be given, and the `channels` that a ladder may name.

        What is of one of the `promotional` categories goes by the marketing lane alone.
        """
        self._promotional = promotional
        self._store = store
        self._outcomes = outcomes
        self._segments = segments
        self._templates = templates
        self._channels = channels

    async def send_many(self, call: Call, request: SendMany) -> BulkTaken:
        """Keep what is to be sent to whom.

        Raises InputError for what concerns all recipients, OperationFailed (BAD_REQUEST where none is valid, NOT_FOUND
        for the segment, IN_PROGRESS while the same id is being taken), StoreUnavailable: send it again, with its id.
        """
        bulk, segment = self._bulk(call, request), await self._segment(request)
        if segment is not None:
            bulk = msgspec.structs.replace(bulk, expected=segment.members, generation=segment.generation)
        match await self._store.begin(bulk.id):
            case Known(before):
                return BulkTaken(before.id, Taking.DUPLICATE, before.expected, before.refused, ())
            case Busy():
                raise _in_progress()
            case Filling() as filling:
                return await self._take(call, request, bulk, filling)

    async def _take(self, call: Call, request: SendMany, bulk: Bulk, filling: Filling) -> BulkTaken:
        refused: list[RefusedRecipient] = []
        if bulk.segment:
            await self._keep_members(bulk, begins_ms=bulk.created_ms)
        else:
            bulk, refused = await self._write(request, bulk)
        if not await self._store.open(bulk, filling):
            raise _in_progress()
        _log.info(
            "bulk_taken", by=call.who.user, bulk=bulk.id, recipients=bulk.expected, refused=len(refused), lane=bulk.lane
        )
        return BulkTaken(bulk.id, Taking.ACCEPTED, bulk.expected, len(refused), tuple(refused[:TOLD_MAX]))

    def _bulk(self, call: Call, request: SendMany) -> Bulk:
        """Return the bulk, as far as it is the same for everybody. Raises InputError."""
        needed = needed_by(request.template, self._templates)
        if (request.segment is None) == (not request.recipients):
            raise InputError("recipients", "is missing; give recipients or a segment, and not both")
        if request.segment is not None:
            check_context(request.context, needed=needed, template=request.template)
        own = request.id or call.idempotency_key or secrets.token_hex(16)
        lane = lane_for(request.category, request.lane, promotional=self._promotional)
        at_ms = begins_ms(request.send_at, now_ms=call.now_ms)
        return Bulk(
            id=bulk_id(f"{call.who.user}:{'id' if request.id else 'key'}", own),
            by=call.who.user,
            created_ms=at_ms,
            category=request.category,
            lane=lane,
            template=TemplateName(request.template),
            context=request.context,
            ladder=ladder_of(request.ladder, channels=self._channels),
            expires_ms=None if request.expires_in_s is None else at_ms + request.expires_in_s * 1_000,
            collapse_key=request.collapse_key,
            link=request.link,
            throttle=throttle_of(request.throttle),
            correlation_id=call.correlation_id,
            expected=0,
            segment=request.segment or "",
        )

    async def _segment(self, request: SendMany) -> Segment | None:
        if request.segment is None:
            return None
        segment = await self._segments.read(request.segment)
        if segment is None:
            raise OperationFailed(
                Failure.NOT_FOUND, f"there is no segment {request.segment}; make it with segments.put"
            )
        return segment

    async def _keep_members(self, bulk: Bulk, *, begins_ms: int) -> None:
        """Have the people of a segment there for as long as the bulk, whoever takes their place in the segment."""
        until_ms = begins_ms + BULK_TTL_S * 1_000
        if not await self._segments.keep(bulk.segment, bulk.generation, until_ms=until_ms):
            raise OperationFailed(Failure.NOT_FOUND, f"the people of the segment {bulk.segment} are gone")

    async def _write(self, request: SendMany, bulk: Bulk) -> tuple[Bulk, list[RefusedRecipient]]:
        """Check and write the recipients; others have their turn in between."""
        checks = _Checks(bulk, needed=needed_by(request.template, self._templates))
        chunks, written = 0, 0
        for start in range(0, len(request.recipients), _SLICE):
            checks.take(start, request.recipients[start : start + _SLICE])
            last = start + _SLICE >= len(request.recipients)
            while checks.good and (last or len(checks.good) >= _WRITTEN):
                batch, checks.good = checks.good[:_WRITTEN], checks.good[_WRITTEN:]
                chunks = await self._store.write(bulk.id, chunks, batch)
                written += len(batch)
            await asyncio.sleep(0)
        if not written:
            told = [FieldProblem(each.field, each.problem) for each in checks.refused[:_TOLD_ERRORS]]
            raise OperationFailed(Failure.BAD_REQUEST, "no recipient is valid", errors=told)
        bulk = msgspec.structs.replace(bulk, expected=written, refused=len(checks.refused), chunks=chunks)
        return bulk, checks.refused

    async def status(self, call: Call, request: NamedBulk) -> BulkStatus:
        """Say how far a bulk is. Raises OperationFailed (NOT_FOUND), StoreUnavailable."""
        progress = await self._store.progress(BulkId(request.id))
        if progress is None:
            raise _unknown(request)
        counts = await self._outcomes.counts(progress.bulk.id)
        reached, cancelled = progress.people, progress.cancelled_ms is not None
        everybody = progress.over and not cancelled
        accepted = reached if everybody else max(progress.bulk.expected, reached)
        open_yet = max(0, accepted - sum(counts.values()))
        return BulkStatus(
            id=progress.bulk.id,
            accepted=accepted,
            reached=reached,
            over=progress.over,
            cancelled=cancelled,
            retries=progress.round_number,
            counts=BulkCounts(
                waiting=0 if cancelled else open_yet,
                sent=counts[BulkOutcome.SENT],
                unknown=counts[BulkOutcome.UNKNOWN],
                failed=counts[BulkOutcome.FAILED],
                skipped=counts[BulkOutcome.SKIPPED],
                cancelled=counts[BulkOutcome.CANCELLED] + (open_yet if cancelled else 0),
                refused=counts[BulkOutcome.REFUSED] + progress.bulk.refused,
            ),
        )

    async def cancel_many(self, call: Call, request: NamedBulk) -> BulkStatus:
        """Have a bulk reach nobody else and send nothing more; say how far it has come.

        What has been sent stays sent, and what is in an inbox stays there. Raises OperationFailed (NOT_FOUND),
        StoreUnavailable.
        """
        if not await self._store.cancel(BulkId(request.id)):
            raise _unknown(request)
        _log.info("bulk_cancelled", by=call.who.user, bulk=request.id)
        return await self.status(call, request)

    async def retry_failed(self, call: Call, request: NamedBulk) -> Retried:
        """Send to those again for whom it has failed.

        Raises InputError for a bulk that was cancelled, OperationFailed (NOT_FOUND, IN_PROGRESS), StoreUnavailable.
        """
        bulk = BulkId(request.id)
        progress = await self._store.progress(bulk)
        if progress is None:
            raise _unknown(request)
        if progress.cancelled_ms is not None:
            raise InputError("id", "is that of a bulk that has been cancelled; send another one")
        if progress.bulk.segment:
            await self._keep_members(progress.bulk, begins_ms=call.now_ms)
        retried = await self._store.again(bulk)
        if retried is None:
            detail = "not everybody has been reached yet"
            raise OperationFailed(Failure.IN_PROGRESS, detail, retry_after_s=_RETRY_S)
        _log.info("bulk_retried", by=call.who.user, bulk=bulk, people=retried)
        return Retried(retried)

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what services can ask for here."""
        send_many: Operation[SendMany, BulkTaken] = Operation(
            name="notifications.send_many",
            summary="Send a message to up to 10,000 people, or to a segment. Answers when their list is kept.",
            request=SendMany,
            response=BulkTaken,
            roles=SERVICES,
            http=Http("POST", "/v1/bulks", status=202),
            handler=self.send_many,
            rate=Rate(count=60, window_s=10.0),
            repeat=Repeat.KEYED,
            errors=(Failure.NOT_FOUND,),
            max_body_bytes=MAX_BODY_BYTES,
        )
        status: Operation[NamedBulk, BulkStatus] = Operation(
            name="notifications.bulk_status",
            summary="Show how far a bulk is, and how many people there are by what became of it.",
            request=NamedBulk,
            response=BulkStatus,
            roles=SERVICES,
            http=Http("GET", "/v1/bulks/{id}"),
            handler=self.status,
            rate=Rate(count=600, window_s=10.0),
            repeat=Repeat.READS,
            errors=(Failure.NOT_FOUND,),
        )
        cancel: Operation[NamedBulk, BulkStatus] = Operation(
            name="notifications.cancel_many",
            summary="Cancel a bulk: nobody else gets it, and what has not gone out yet is dropped.",
            request=NamedBulk,
            response=BulkStatus,
            roles=SERVICES,
            http=Http("POST", "/v1/bulks/cancel"),
            handler=self.cancel_many,
            rate=Rate(count=60, window_s=10.0),
            repeat=Repeat.IDEMPOTENT,
            errors=(Failure.NOT_FOUND,),
        )
        retry: Operation[NamedBulk, Retried] = Operation(
            name="notifications.retry_failed",
            summary="Send a bulk once more to those for whom it has failed, and to nobody else.",
            request=NamedBulk,
            response=Retried,
            roles=SERVICES,
            http=Http("POST", "/v1/bulks/retry"),
            handler=self.retry_failed,
            rate=Rate(count=60, window_s=10.0),
            repeat=Repeat.KEYED,
            errors=(Failure.NOT_FOUND,),
        )
        return send_many, status, cancel, retry


class _Checks:
    """Sorts recipients into `good` ones, which the caller takes away, and `refused` ones."""

    def __init__(self, bulk: Bulk, *, needed: frozenset[str]) -> None:
        self._shared = bulk.context
        self._template = bulk.template
        self._needed = needed
        self._named: set[str] = set()
        self.good: list[Recipient] = []
        self.refused: list[RefusedRecipient] = []

    def take(self, first: int, recipients: Sequence[msgspec.Raw]) -> None:
        """Check the next recipients; `first` is the place of the first in the request."""
        for index, raw in enumerate(recipients, first):
            try:
                self.good.append(self._checked(raw))
            except InputError as error:
                self.refused.append(RefusedRecipient(index, f"recipients[{index}].{error.field}", error.problem))

    def _checked(self, raw: msgspec.Raw) -> Recipient:
        given = decode_json(SendRecipient, bytes(raw))
        if given.user in self._named:
            raise InputError("user", "is named twice; the first one counts")
        check_context({**self._shared, **given.context}, needed=self._needed, template=self._template)
        self._named.add(given.user)
        return Recipient(UserId(given.user), given.context)


def _in_progress() -> OperationFailed:
    return OperationFailed(Failure.IN_PROGRESS, "a bulk of this id is being taken", retry_after_s=_RETRY_S)


def _unknown(request: NamedBulk) -> OperationFailed:
    return OperationFailed(Failure.NOT_FOUND, f"no bulk {request.id} is known; they are kept for a week")
