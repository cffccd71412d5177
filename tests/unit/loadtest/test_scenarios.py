"""The scenarios' bookkeeping, and that their sizes go together."""

import asyncio
import os
import sys
from dataclasses import replace
from typing import Any, cast

import pytest

from loadtest import run, scenarios
from loadtest.__main__ import parser, plan_of, remote_of
from loadtest.measure import Measure
from loadtest.pace import at_rate
from loadtest.plan import PLANS, QUICK, WHOLE
from loadtest.scenarios import connect
from loadtest.stack import Cost, children_of
from loadtest.stage import Spent, Stage
from loadtest.swarm.control import Setup
from loadtest.swarm.swarm import shards_for
from loadtest.target import Target


def stage(**costs: Cost) -> Stage:
    class Fixed(Target):
        def costs(self) -> dict[str, Cost]:
            return costs

    nobody = cast("Any", None)
    setup = Setup(shard=0, shards=2, members=100, addresses=(("h", 1),), secret="s")
    return Stage(nobody, Fixed("t", setup, nobody, nobody), QUICK, nobody)


def test_processes_are_added_up_by_role_and_successors_with_them() -> None:
    found = stage(**{"serve": Cost(1, 5), "serve.0": Cost(2, 50), "serve-2.1": Cost(4, 500), "redis": Cost(8, 1_000)})
    assert found.cpu() == {"serve": 7, "redis": 8}
    assert found.resident_bytes() == 555


def test_what_pings_would_have_cost_anyway_is_taken_off() -> None:
    found = stage()
    found.idle_share = 0.1
    assert found.busy_us(Spent(2.0, {"serve": 1.2}), 1_000) == pytest.approx(1_000)


def test_an_accept_does_not_cost_what_those_cost_who_are_there_already() -> None:
    # 3.4 s while 10,000 came within 4 s to 5,000 others; on average 10,000 were there, at 1 % of a core for 1,000.
    step = connect.Step(15_000, joined=10_000, took_s=4.0, memory_kb=3.0, connecting_s=3.4, delivery_us=11.0)
    assert step.accept_us(0.01 / 1_000) == pytest.approx(300)
    assert step.accept_us(0.0) == pytest.approx(340)


def test_what_something_costs_is_what_its_roles_used_meanwhile() -> None:
    costs = {"serve": Cost(1.0, 0)}
    found = stage(**costs)

    async def work() -> None:
        costs["serve"].cpu_s = 1.5

    found.target.costs = lambda: costs  # type: ignore[method-assign]
    assert asyncio.run(found.spending(work)).server_s == 0.5


async def test_a_rate_is_kept_and_no_number_is_left_out() -> None:
    seen: list[int] = []

    async def act(numbers: range) -> None:
        seen.extend(numbers)
        await asyncio.sleep(0.02)

    assert await at_rate(act, per_s=1_000, seconds=0.1) == 100
    assert seen == list(range(100))


async def test_what_is_due_within_a_tick_is_done_together() -> None:
    calls: list[range] = []

    async def act(numbers: range) -> None:
        calls.append(numbers)

    assert await at_rate(act, per_s=1_000, seconds=0.1, tick_s=0.02) == 100
    assert len(calls) <= 6


async def test_the_children_of_a_process_are_found() -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
    try:
        assert child.pid in children_of(os.getpid())
    finally:
        child.kill()
        await child.wait()


def test_a_process_that_is_gone_has_no_children() -> None:
    assert children_of(0) == []


@pytest.mark.parametrize("plan", PLANS.values(), ids=lambda each: each.name)
def test_everybody_fits_into_the_hub_and_into_the_swarm(plan: Any) -> None:
    assert plan.clients / (plan.workers - 1) <= 17_000, "one worker may die"
    assert sum(each.name == "connect" for each in run.chosen([], own=True)) == 1


def test_a_plan_that_has_too_few_clients_says_how_many_it_needs() -> None:
    with pytest.raises(ValueError, match="this plan needs 2500"):
        replace(WHOLE, clients=1_000)


def test_connecting_is_always_first_and_a_server_elsewhere_is_not_killed() -> None:
    assert [each.name for each in run.chosen(["storm"], own=True)] == ["connect", "storm"]
    elsewhere = {each.name for each in run.chosen([], own=False)}
    assert elsewhere == {"connect", "idle", "broadcast", "personal", "latest", "talk", "storm", "churn"}


def test_every_scenario_has_a_name_of_its_own_and_its_budgets_have_units() -> None:
    names = [each.name for each in scenarios.ALL]
    assert len(set(names)) == len(names)
    modules = [getattr(scenarios, name.replace("-", "_")) for name in names]
    tables = [[each for each in vars(module).values() if isinstance(each, Measure)] for module in modules]
    assert all(tables)
    assert all(each.unit or each.must is None or each.must == 0 for table in tables for each in table)


def test_there_are_as_many_shards_as_descriptors_ask_for() -> None:
    assert shards_for(100) == 2
    assert shards_for(10_000_000) > 2


def test_another_server_needs_a_secret_and_an_address_to_publish_at() -> None:
    options = parser().parse_args(["swarm", "--url", "ws://127.0.0.1:8000/connection/websocket"])
    with pytest.raises(ValueError, match="--hmac-secret and --api-url"):
        remote_of(options)


def test_the_command_line_changes_the_plan() -> None:
    plan = plan_of(parser().parse_args(["--plan", "whole", "--clients", "30000"]))
    assert (plan.clients, plan.workers) == (30_000, 7)
