"""The delivery worker: wires the runner to the store, the channels and the clock. `hub.app` calls this."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

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


def delivery_runner(
    settings: Delivery,
    *,
    channels: Mapping[Channel, DeliveryChannel],
    jobs: JobQueue,
    digests: DigestQueue,
    tools: Tools,
    appearances: Appearances,
    entries: Entries,
    people: People,
    preferences: PreferenceBook,
    allowances: AllowanceBook,
    records: RecordBook,
    suppressions: SuppressionList,
    house: HouseRules,
    mishaps: Mishaps | None = None,
    clock: Callable[[], int] = unix_ms,
    jitter: Callable[[], float] = random.random,
) -> Runner:
    """Return a runner over `channels`; a step over a channel that is not there is skipped to the next."""
    limits = Limits(settings.max_attempts, Backoff(settings.backoff_first_s, settings.backoff_max_s))
    standings = Standings(jobs, entries)
    digester = Digester(
        digests,
        standings=standings,
        records=records,
        texts=tools.renderer,
        links=tools,
        default_locale=tools.default_locale,
    )
    briefing = Briefing(
        channels=channels,
        standings=standings,
        people=people,
        preferences=preferences,
        rulings=Rulings(house, allowances),
        records=records,
        suppressions=suppressions,
        clock=clock,
        jitter=jitter,
    )
    performer = Performer(
        channels=channels,
        jobs=jobs,
        digester=digester,
        appearances=appearances,
        suppressions=suppressions,
        limits=limits,
        lease_s=settings.lease_s,
        clock=clock,
        mishaps=mishaps,
    )
    return Runner(
        jobs=jobs,
        briefing=briefing,
        performer=performer,
        clock=clock,
        concurrency=settings.concurrency,
        lease_s=settings.lease_s,
    )
