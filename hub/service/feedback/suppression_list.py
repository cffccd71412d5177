"""`suppressions.*`: which addresses are not written to, why, and how to let one be written to again."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from hub.domain.channels import ChannelName
from hub.domain.errors import InputError
from hub.observe import logger
from hub.service.operations import SERVICES, AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.store.suppressions import SuppressionPage, Suppressions

_log = logger(__name__)
_RATE = Rate(count=600, window_s=60.0)


class ListSuppressions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page."""

    cursor: Annotated[str, Meta(max_length=100)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class RemoveSuppression(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which one: by its `id` in the list, or by the address and its channel."""

    id: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}:[0-9a-f]{32}\Z")] | None = None
    channel: ChannelName | None = None
    address: Annotated[str, Meta(min_length=1, max_length=320)] | None = None


class Removed(msgspec.Struct, frozen=True):
    """Whether there was such a suppression."""

    removed: bool


class SuppressionList:
    """Shows and removes suppressions."""

    def __init__(self, suppressions: Suppressions) -> None:
        self._suppressions = suppressions

    async def show(self, call: Call, request: ListSuppressions) -> SuppressionPage:
        """Return a page of suppressions, the newest first. Raises InputError, StoreUnavailable."""
        return await self._suppressions.list(cursor=request.cursor, limit=request.limit)

    async def remove(self, call: Call, request: RemoveSuppression) -> Removed:
        """Let an address be written to again. Raises InputError, StoreUnavailable."""
        if request.id is not None:
            if request.channel is not None or request.address is not None:
                raise InputError("id", "says it all; leave out channel and address")
            removed = await self._suppressions.remove_id(request.id)
        elif request.channel is None or request.address is None:
            missing = "channel" if request.channel is None else "address"
            raise InputError(missing, "is missing; give an id, or a channel and an address")
        else:
            removed = await self._suppressions.remove(request.channel, request.address)
        _log.info("suppression_removed", by=call.who.user, id=request.id, channel=request.channel, removed=removed)
        return Removed(removed)

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what services can ask for here."""
        show: Operation[ListSuppressions, SuppressionPage] = Operation(
            name="suppressions.list",
            summary="Show which addresses are not written to, and why. Addresses themselves are not kept.",
            request=ListSuppressions,
            response=SuppressionPage,
            roles=SERVICES,
            http=Http("GET", "/v1/suppressions"),
            handler=self.show,
            rate=_RATE,
            repeat=Repeat.READS,
        )
        remove: Operation[RemoveSuppression, Removed] = Operation(
            name="suppressions.remove",
            summary="Let an address be written to again.",
            request=RemoveSuppression,
            response=Removed,
            roles=SERVICES,
            http=Http("POST", "/v1/suppressions/remove"),
            handler=self.remove,
            rate=_RATE,
            repeat=Repeat.IDEMPOTENT,
        )
        return show, remove
