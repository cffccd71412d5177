"""The delivery worker: wires the runner to the store, the channels and the clock. `hub.roles.deliver` calls this."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Protocol

from channels.backoff import Backoff
from channels.channel import DeliveryChannel
from channels.digest import Digester, DigestQueue
from channels.in_hand import Briefing
from channels.ladder import Limits
from channels.mishaps import Mishaps
from channels.performer import Performer
from channels.ports import (
    AllowanceBook,
    Appearances,
    Entries,
    JobQueue,
    People,
    PreferenceBook,
    RecordBook,
    SuppressionList,
)
from channels.registry import Tools
from channels.rulings import Rulings
from channels.runner import Runner
from channels.standing import Standings
from hub.domain.channels import Channel
from hub.domain.house_rules import HouseRules
from hub.settings import Delivery
from hub.store.clock import unix_ms


class _Stores(Protocol):
    """What the runner reads and writes. The object of `hub.app` fits; tests may pass others."""

    @property
    def jobs(self) -> JobQueue: ...

    @property
    def digests(self) -> DigestQueue: ...

    @property
    def inbox(self) -> Entries: ...

    @property
    def documents(self) -> People: ...

    @property
    def preferences(self) -> PreferenceBook: ...

    @property
    def allowances(self) -> AllowanceBook: ...

    @property
    def records(self) -> RecordBook: ...

    @property
    def suppressions(self) -> SuppressionList: ...


def delivery_runner(
    settings: Delivery,
    stores: _Stores,
    *,
    channels: Mapping[Channel, DeliveryChannel],
    tools: Tools,
    appearances: Appearances,
    house: HouseRules,
    mishaps: Mishaps | None = None,
    clock: Callable[[], int] = unix_ms,
    jitter: Callable[[], float] = random.random,
) -> Runner:
    """Return a runner over `channels`; a step over a channel that is not there is skipped to the next."""
    standings = Standings(stores.jobs, stores.inbox)
    briefing = Briefing(
        channels=channels,
        standings=standings,
        people=stores.documents,
        preferences=stores.preferences,
        rulings=Rulings(house, stores.allowances),
        records=stores.records,
        suppressions=stores.suppressions,
        clock=clock,
        jitter=jitter,
    )
    performer = Performer(
        channels=channels,
        jobs=stores.jobs,
        digester=_digester(stores, standings, tools),
        appearances=appearances,
        suppressions=stores.suppressions,
        limits=Limits(settings.max_attempts, Backoff(settings.backoff_first_s, settings.backoff_max_s)),
        lease_s=settings.lease_s,
        clock=clock,
        mishaps=mishaps,
    )
    return Runner(
        jobs=stores.jobs,
        briefing=briefing,
        performer=performer,
        clock=clock,
        concurrency=settings.concurrency,
        lease_s=settings.lease_s,
    )


def _digester(stores: _Stores, standings: Standings, tools: Tools) -> Digester:
    return Digester(
        stores.digests,
        standings=standings,
        records=stores.records,
        texts=tools.renderer,
        links=tools,
        default_locale=tools.default_locale,
    )
