"""Rulings on jobs that would be sent, for many at a time, with what has to be counted counted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from channels.ladder import Facts, would_be_sent
from channels.ports import AllowanceBook
from hub.domain.house_rules import HouseRules
from hub.domain.notifications import APPEARANCE, Job
from hub.domain.people import Person
from hub.domain.preferences import Preferences
from hub.domain.rulings import Allow, Allowance, Drop, Listener, Ruling, allowances_of, rule_on
from hub.service.person.preferences import zone_of


class Case(msgspec.Struct, frozen=True):
    """A job in hand, what is known about it, and for whom it is."""

    job: Job
    facts: Facts
    person: Person
    preferences: Preferences


class Rulings:
    """Rules on jobs under the rules of one house."""

    def __init__(self, house: HouseRules, allowances: AllowanceBook) -> None:
        self._house = house
        self._allowances = allowances

    async def on(self, cases: Sequence[Case]) -> list[Ruling | None]:
        """Return the ruling on each job, None where it goes to the inbox or nowhere. Raises StoreUnavailable.

        A round trip is made only where something has to be counted: for a throttle or a cap on marketing.
        """
        rulings = [self._ruling(case) for case in cases]
        counted = [self._counted(case, ruling) for case, ruling in zip(cases, rulings, strict=True)]
        asked = [place for place, allowances in enumerate(counted) if allowances]
        if asked:
            wanted = [(cases[place].person.user, counted[place]) for place in asked]
            for place, full in zip(asked, await self._allowances.take_many(wanted), strict=True):
                if full is not None:
                    rulings[place] = Drop(full.refusal, ends=True)
        return rulings

    def _ruling(self, case: Case) -> Ruling | None:
        if case.job.step == APPEARANCE or not would_be_sent(case.job, case.facts):
            return None
        listener = Listener(case.person, case.preferences, zone_of(case.person, case.preferences, self._house))
        return rule_on(
            case.job.notification,
            case.job.channel,
            listener=listener,
            house=self._house,
            now_ms=case.facts.now_ms,
        )

    def _counted(self, case: Case, ruling: Ruling | None) -> tuple[Allowance, ...]:
        if not isinstance(ruling, Allow):
            return ()
        return allowances_of(case.job.notification, case.job.channel, self._house)
