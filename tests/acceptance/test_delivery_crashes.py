"""Delivery workers are killed at random while they deliver; every job still ends once, and nothing doubles unasked."""

import pytest

from hub.domain.channels import SMS
from loadtest.delivery.crashes import CALLS_AT_ONCE, CHANNELS, Load, crash

pytestmark = pytest.mark.timeout(180)


async def test_every_job_ends_in_one_outcome_that_fits_the_messages_though_workers_are_killed() -> None:
    verdict = await crash(Load(jobs=900, kills=4, seed=7))
    assert verdict.wrong == []
    assert verdict.accounts.keys() == set(CHANNELS)
    for account in verdict.accounts.values():
        assert sum(account.outcomes.values()) == account.jobs == 300
        assert account.outcomes["delivered"] >= 270
        # One is doubled where its worker died after the provider had taken it.
        assert account.doubles <= min(account.cut, CALLS_AT_ONCE * verdict.kills)
    assert verdict.accounts[SMS].doubles == 0
