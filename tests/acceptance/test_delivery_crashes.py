"""Delivery workers are killed at random while they deliver; every job still ends once, and no mail doubles unasked."""

import pytest

from loadtest.delivery.crashes import Load, crash

pytestmark = pytest.mark.timeout(180)


async def test_every_job_ends_in_one_outcome_that_fits_the_mails_though_workers_are_killed() -> None:
    verdict = await crash(Load(jobs=2_000, kills=6, seed=7))
    assert verdict.wrong == []
    assert sum(verdict.outcomes.values()) == 2_000
    assert verdict.outcomes["delivered"] >= 1_900
    # A mail is doubled where its worker died after the relay had taken it: three sessions carry mails of this lane.
    assert verdict.doubles <= min(verdict.cut, 3 * verdict.kills)
