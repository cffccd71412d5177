"""The delivery workers that run now, and how their providers are. One that is silent is taken for gone."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hub.domain.channels import Channel
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import Lane
from hub.store.keys import Keys
from hub.store.scripts import Call, Scripts, load_script

_BEAT = load_script("worker_beat")
_LIST = load_script("worker_list")
BEAT_S = 2.0
"""How often a worker says how it is."""
_TTL_S = 10


class ProviderState(StrEnum):
    """How a provider is, as one worker sees it."""

    WELL = "well"
    PAUSED = "paused"
    """It has asked for nothing more for a while."""
    FAILING = "failing"
    """Its circuit breaker is open: it is left alone, and then asked one message at a time."""


class ProviderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One provider of a channel. `calls` of the last minute are by outcome: taken, refused, impossible, unknown."""

    channel: Channel
    name: str
    state: ProviderState
    rests_s: float
    """For how long it will not be asked."""
    calls: dict[str, int]
    under_way: int
    per_second: float
    """Its bound in this worker, 0: none."""


class Mishap(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a ladder that did not go well: `refused`, `failed`, `unknown` or `buried`. Holds no contact."""

    at_ms: int
    user: UserId
    notification: NotificationId
    event_type: str
    channel: Channel
    lane: Lane
    outcome: str
    reason: str
    tries: int


class DeliveryWorkerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker says about itself. `uid` is its own for each start; times are Unix ms."""

    uid: str
    name: str
    version: str
    started_ms: int
    at_ms: int = 0
    channels: tuple[Channel, ...] = ()
    providers: tuple[ProviderFacts, ...] = ()
    mishaps: tuple[Mishap, ...] = ()
    """The newest first."""


_decoder = msgspec.json.Decoder(DeliveryWorkerFacts)


class DeliveryWorkers:
    """The register of delivery workers. Every method raises StoreUnavailable."""

    def __init__(self, scripts: Scripts, keys: Keys) -> None:
        self._scripts = scripts
        self._keys = (keys.delivery_workers("alive"), keys.delivery_workers("facts"))

    async def beat(self, facts: DeliveryWorkerFacts) -> None:
        """Say how a worker is; for 10 s it counts as alive."""
        await self._scripts.run(_BEAT, Call(self._keys, (facts.uid, msgspec.json.encode(facts), _TTL_S)))

    async def leave(self, uid: str) -> None:
        """Say that a worker ends."""
        await self._scripts.run(_BEAT, Call(self._keys, (uid, "", _TTL_S)))

    async def alive(self) -> list[DeliveryWorkerFacts]:
        """Return the workers that have been heard of within 10 s, by their uid."""
        facts = await self._scripts.run(_LIST, Call(self._keys, (_TTL_S,)))
        return [_decoder.decode(one) for one in facts if one is not None]
