"""`segments.*`: named sets of people, kept by services, that a bulk can go to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from hub.domain.bulks import MAX_RECIPIENTS
from hub.domain.ids import UserId
from hub.observe import logger
from hub.service.failures import Failure, OperationFailed
from hub.service.operations import KIB, SERVICES, AnyOperation, Call, Handler, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.store.segments import MAX_MEMBERS, Segment, SegmentFull

_log = logger(__name__)
MAX_PAGE = 1_000
_RATE = Rate(count=200, window_s=10.0)
_MAX_BODY_BYTES = 2_048 * KIB

SegmentName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}\Z")]
User = Annotated[str, Meta(pattern=r"^[^\s\x00-\x1f\x7f{}]{1,128}\Z")]
Users = Annotated[tuple[User, ...], Meta(max_length=MAX_RECIPIENTS)]


class Store(Protocol):
    """The segments (hub.store.segments). Every method raises StoreUnavailable."""

    async def read(self, name: str) -> Segment | None:
        """Return a segment."""
        ...

    async def page(self, name: str, generation: str, *, after: str, limit: int) -> list[UserId]:
        """Return some members."""
        ...

    async def put(self, name: str, users: Sequence[UserId]) -> int:
        """Replace the members."""
        ...

    async def delete(self, name: str) -> bool:
        """Forget a segment."""
        ...

    async def add(self, name: str, users: Sequence[UserId]) -> int | None:
        """Add members."""
        ...

    async def remove(self, name: str, users: Sequence[UserId]) -> int | None:
        """Remove members."""
        ...


class SegmentUsers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some people, and the segment that they are about. More than that many go into several calls."""

    name: SegmentName
    users: Users


class NamedSegment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which segment."""

    name: SegmentName


class ReadSegment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which segment, and which of its members. `after` is the `next_after` of the page before."""

    name: SegmentName
    after: Annotated[str, Meta(max_length=128)] = ""
    limit: Annotated[int, Meta(ge=0, le=MAX_PAGE)] = 0
    """How many members to show; 0: only how many there are."""


class SegmentView(msgspec.Struct, frozen=True):
    """A segment: how many members it has, and some of them in the order of their ids."""

    name: str
    members: int
    changed_ms: int
    users: tuple[UserId, ...]
    next_after: str | None
    """None: no more members were asked for, or there are none."""


class SegmentSize(msgspec.Struct, frozen=True):
    """How many members the segment has now."""

    members: int


class SegmentChange(msgspec.Struct, frozen=True):
    """How many of the people were not in it before, or were, and how many members there are now."""

    changed: int
    members: int


class SegmentGone(msgspec.Struct, frozen=True):
    """Whether there was such a segment."""

    deleted: bool


class SegmentService:
    """Keeps segments for services."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, call: Call, request: SegmentUsers) -> SegmentSize:
        """Make people the members, in the place of all others. Raises StoreUnavailable."""
        members = await self._store.put(request.name, _ids(request))
        _log.info("segment_put", by=call.who.user, segment=request.name, members=members)
        return SegmentSize(members)

    async def get(self, call: Call, request: ReadSegment) -> SegmentView:
        """Show a segment. Raises OperationFailed (NOT_FOUND), StoreUnavailable."""
        known = await self._known(request.name)
        users: list[UserId] = []
        if request.limit:
            users = await self._store.page(request.name, known.generation, after=request.after, limit=request.limit)
        more = users[-1] if users and len(users) == request.limit else None
        return SegmentView(request.name, known.members, known.changed_ms, tuple(users), more)

    async def add(self, call: Call, request: SegmentUsers) -> SegmentChange:
        """Add people. Raises OperationFailed (NOT_FOUND; TOO_LARGE where they do not fit), StoreUnavailable."""
        try:
            changed = await self._store.add(request.name, _ids(request))
        except SegmentFull as error:
            detail = f"a segment has at most {MAX_MEMBERS:,} members"
            raise OperationFailed(Failure.TOO_LARGE, detail) from error
        return await self._changed(request.name, changed)

    async def remove(self, call: Call, request: SegmentUsers) -> SegmentChange:
        """Remove people. Raises OperationFailed (NOT_FOUND), StoreUnavailable."""
        return await self._changed(request.name, await self._store.remove(request.name, _ids(request)))

    async def delete(self, call: Call, request: NamedSegment) -> SegmentGone:
        """Forget a segment; bulks under way go on. Raises StoreUnavailable."""
        deleted = await self._store.delete(request.name)
        _log.info("segment_deleted", by=call.who.user, segment=request.name, known=deleted)
        return SegmentGone(deleted)

    async def _changed(self, name: str, changed: int | None) -> SegmentChange:
        if changed is None:
            raise _missing(name)
        return SegmentChange(changed, (await self._known(name)).members)

    async def _known(self, name: str) -> Segment:
        known = await self._store.read(name)
        if known is None:
            raise _missing(name)
        return known

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what services can ask for here."""
        show: Operation[ReadSegment, SegmentView] = Operation(
            name="segments.get",
            summary="Show how many members a segment has, and some of them.",
            request=ReadSegment,
            response=SegmentView,
            roles=SERVICES,
            http=Http("GET", "/v1/segments/{name}"),
            handler=self.get,
            rate=_RATE,
            repeat=Repeat.READS,
            errors=(Failure.NOT_FOUND,),
        )
        delete: Operation[NamedSegment, SegmentGone] = Operation(
            name="segments.delete",
            summary="Forget a segment. Bulks that go to it are not cut short.",
            request=NamedSegment,
            response=SegmentGone,
            roles=SERVICES,
            http=Http("DELETE", "/v1/segments/{name}"),
            handler=self.delete,
            rate=_RATE,
            repeat=Repeat.IDEMPOTENT,
        )
        return (
            _change("put", "Make people the members of a segment, in the place of all others.", SegmentSize, self.put),
            show,
            _change("add", "Add people to a segment.", SegmentChange, self.add, Failure.NOT_FOUND, Failure.TOO_LARGE),
            _change("remove", "Remove people from a segment.", SegmentChange, self.remove, Failure.NOT_FOUND),
            delete,
        )


def _ids(request: SegmentUsers) -> list[UserId]:
    return [UserId(user) for user in request.users]


def _missing(name: str) -> OperationFailed:
    return OperationFailed(Failure.NOT_FOUND, f"there is no segment {name}; make one with segments.put")


def _change(
    verb: str, summary: str, response: type[msgspec.Struct], handler: Handler[SegmentUsers, Any], *errors: Failure
) -> AnyOperation:
    return Operation(
        name=f"segments.{verb}",
        summary=summary,
        request=SegmentUsers,
        response=response,
        roles=SERVICES,
        http=Http("POST", f"/v1/segments/{verb}"),
        handler=handler,
        rate=_RATE,
        repeat=Repeat.IDEMPOTENT,
        errors=errors,
        max_body_bytes=_MAX_BODY_BYTES,
    )
