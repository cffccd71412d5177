"""The plan of the acceptance tests against the domain itself: what it expects is what a perfect run announces."""

from collections import Counter

import pytest

from hub.domain.cloudevents import decode_structured
from hub.domain.envelope import Event
from tests.acceptance.journeys import MAILED, Plan
from tests.shop import NOON_MS
from tests.world import World

USERS = [f"user{number}" for number in range(10)]


@pytest.mark.parametrize("seed", range(4))
def test_the_disorder_and_the_duplicates_of_a_plan_cost_nobody_an_announcement(seed: int) -> None:
    plan, world = Plan(["kafka", "rabbit"], USERS, events=500, seed=seed), World()
    for broker in ("kafka", "rabbit"):
        for message in plan.messages(broker):
            event = decode_structured(message.structured, received_ms=NOON_MS + 10**11)
            assert isinstance(event, Event)
            world.tell(event)
    told = Counter((user, rule) for user, rule in world.notified)
    expected = Counter(
        (user, each.type.replace(".", "-").replace("_", "-")) for user, all_ in plan.expected().items() for each in all_
    )
    assert told == expected


def test_a_plan_has_as_many_events_as_asked_for_and_a_tenth_of_them_twice() -> None:
    plan = Plan(["kafka", "rabbit"], USERS, events=1_000, seed=1)
    ids = [message.id for broker in ("kafka", "rabbit") for message in plan.messages(broker)]
    assert (len(ids), len(set(ids))) == (2_000, 1_800)


def test_a_journey_has_one_mail_at_most() -> None:
    plan = Plan(["kafka"], USERS, events=1_000, seed=1)
    assert all(sum(told.type in MAILED for told in one.told) <= 1 for one in plan.all_journeys())


def test_waves_send_everything_once_and_each_order_in_turn() -> None:
    plan = Plan(["kafka"], USERS, events=500, seed=1)
    waves = [wave for cohort in plan.waves("kafka") for wave in cohort]
    assert Counter(message for wave in waves for message in wave) == Counter(plan.messages("kafka"))
    assert all(len({message.key for message in wave}) == len(wave) for wave in waves)
