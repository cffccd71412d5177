"""What the consumers need from the rest of Doorbell; the composition root passes an object that fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NewType, Protocol

from hub.domain.envelope import Incoming, Rejected

Generation = NewType("Generation", str)
"""Names one life of the Redis server (its `run_id`): what was not yet synced to disk dies with it."""


class Ingest(Protocol):
    """Turns events into effects in Redis.

    All of it is idempotent: the same event or letter given twice has the effects of one. Calls are made one after
    the other and may be cancelled; what was cancelled is given again.
    """

    async def process(self, batch: Sequence[Incoming], /) -> object:
        """Return when every effect of the batch is written, in the batch's order for events of one aggregate.

        Raises StoreUnavailable when Redis cannot be reached; then nothing is known about the writes.
        """
        ...

    async def reject(self, letters: Sequence[Rejected], /) -> None:
        """Return when the letters are among the dead letters. Raises StoreUnavailable as `process` does."""
        ...

    async def generation(self) -> str:
        """Return the `run_id` of the Redis server that takes the writes. Raises StoreUnavailable."""
        ...
