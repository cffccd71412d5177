"""What became of bulks, person by person: noted along with the end of each step, counted for whoever asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.domain.bulks import BulkId, BulkOutcome
from hub.domain.ids import UserId
from hub.store.connection import read_pipelined
from hub.store.keys import Keys
from hub.store.round_trip import Command
from hub.store.scripts import Call, Run, Scripts, load_script
from hub.store.server import Server

BULK_TTL_S = 7 * 86_400
"""How long a bulk is known after its last change."""
_NOTE = load_script("bulk_note")
_RECLAIM = load_script("bulk_reclaim")


class BulkOutcomes:
    """The outcomes of the bulks of one installation. Every method raises StoreUnavailable."""

    def __init__(self, server: Server, scripts: Scripts, keys: Keys, *, ttl_s: int = BULK_TTL_S) -> None:
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._ttl_s = ttl_s

    def noting(self, bulk: BulkId, user: UserId, outcome: BulkOutcome, *, over: bool) -> Run:
        """Return the script run that notes an outcome, for who has others to send along.

        `over`: no further step follows. Until then what has failed or was skipped still waits.
        """
        return _NOTE, Call(self._parts(bulk), (user, outcome.value, int(over), self._ttl_s))

    async def note_many(self, bulk: BulkId, outcomes: Mapping[UserId, BulkOutcome]) -> None:
        """Note the outcomes of people for whom it is over, in one round trip."""
        await self._scripts.run_mixed(
            [self.noting(bulk, user, outcome, over=True) for user, outcome in outcomes.items()]
        )

    async def counts(self, bulk: BulkId) -> dict[BulkOutcome, int]:
        """Return how many people have each outcome."""
        read: Command = ("HMGET", self._keys.bulk(bulk, "counts"), *(outcome.value for outcome in BulkOutcome))
        (counts,) = await read_pipelined(self._server, [read], what="bulk counts")
        return {outcome: int(count or 0) for outcome, count in zip(BulkOutcome, counts, strict=True)}

    async def reclaim(self, bulk: BulkId, users: Sequence[UserId], *, round_number: int) -> list[UserId]:
        """Return those of the people for whom it has failed, who wait again from now on."""
        picked = await self._scripts.run(_RECLAIM, Call(self._parts(bulk), (round_number, *users)))
        return [user for user, flag in zip(users, picked, strict=True) if flag]

    def _parts(self, bulk: BulkId) -> tuple[str, str]:
        return self._keys.bulk(bulk, "outcomes"), self._keys.bulk(bulk, "counts")
