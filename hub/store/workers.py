"""The workers that run now. Each says so every few seconds; one that is silent is taken for gone."""

from __future__ import annotations

import msgspec

from hub.store.keys import Keys
from hub.store.scripts import Call, Scripts, load_script

_BEAT = load_script("worker_beat")
_LIST = load_script("worker_list")
BEAT_S = 5.0
"""How often a worker says that it is alive."""
_TTL_S = 20


class WorkerFacts(msgspec.Struct, frozen=True):
    """What one worker says about itself. `uid` is its own for each start; `started_ms` is Unix time."""

    uid: str
    name: str
    version: str
    started_ms: int
    clients: int
    users: int
    topics: int
    subscriptions: int


_decoder = msgspec.json.Decoder(WorkerFacts)


class Workers:
    """The register of workers. Every method raises StoreUnavailable."""

    def __init__(self, scripts: Scripts, keys: Keys) -> None:
        self._scripts = scripts
        self._keys = (keys.workers("alive"), keys.workers("facts"))

    async def beat(self, facts: WorkerFacts) -> None:
        """Say that a worker is alive; for 20 s it counts as such."""
        await self._scripts.run(_BEAT, Call(self._keys, (facts.uid, msgspec.json.encode(facts), _TTL_S)))

    async def leave(self, uid: str) -> None:
        """Say that a worker ends."""
        await self._scripts.run(_BEAT, Call(self._keys, (uid, "", _TTL_S)))

    async def alive(self) -> list[WorkerFacts]:
        """Return the workers that have been heard of within 20 s, by their uid."""
        facts = await self._scripts.run(_LIST, Call(self._keys, (_TTL_S,)))
        return [_decoder.decode(one) for one in facts if one is not None]
