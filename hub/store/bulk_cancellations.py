"""Which bulks have been cancelled: what waits in the delay queue because of one of them is dropped when it is due.

That a bulk is cancelled is remembered by a key of its own, which outlives the bulk: a message that somebody's quiet
hours or pause hold back waits for longer.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.domain.bulks import BulkId
from hub.domain.notifications import Job
from hub.store.cancellations import KEPT_S
from hub.store.connection import read_pipelined
from hub.store.keys import Keys
from hub.store.round_trip import Command
from hub.store.scripts import Call, Scripts, load_script
from hub.store.server import Server

DONE = "done"
"""The place of a bulk that is worked off."""
_CANCEL = load_script("bulk_cancel")


class BulkCancellations:
    """The cancelled bulks of one installation. Every method raises StoreUnavailable."""

    def __init__(self, server: Server, scripts: Scripts, keys: Keys) -> None:
        self._server = server
        self._scripts = scripts
        self._keys = keys

    async def cancel(self, bulk: BulkId, *, now_ms: int) -> bool:
        """Cancel a bulk; False where none of that id is known. May be repeated."""
        keys = (self._keys.bulk(bulk, "state"), self._keys.bulk(bulk, "cancelled"))
        return bool(await self._scripts.run(_CANCEL, Call(keys, (now_ms, DONE, KEPT_S))))

    async def are_cancelled(self, jobs: Sequence[Job]) -> list[bool]:
        """Say of each job whether its bulk has been cancelled; no round trip where none has a bulk."""
        bulks = list(dict.fromkeys(job.notification.bulk for job in jobs if job.notification.bulk))
        reads: list[Command] = [("EXISTS", self._keys.bulk(BulkId(bulk), "cancelled")) for bulk in bulks]
        replies = await read_pipelined(self._server, reads, what="bulk cancellations") if reads else ()
        cancelled = {bulk for bulk, reply in zip(bulks, replies, strict=True) if reply}
        return [job.notification.bulk in cancelled for job in jobs]
