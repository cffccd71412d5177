"""People talk in small rooms, as chats are: clients publish, and everybody in the room hears it."""

from __future__ import annotations

from loadtest.measure import Figure, Measure
from loadtest.pace import at_rate
from loadtest.stage import Scenario, Stage
from loadtest.swarm import stamp

NAME = "talk"
P50 = Measure("word to listener, p50", "ms")
P99 = Measure("word to listener, p99", "ms", must=50)
CPU = Measure("server CPU per word heard", "µs")
_SERIES = "talk"
_BYTES = 120


async def run(stage: Stage) -> list[Figure]:
    """Say something in one room after the other; everybody there hears it, the speaker too."""
    plan, swarm = stage.plan, stage.swarm
    rooms = [f"room:{number}" for number in range(plan.rooms)]
    # From the other end than those who watch couriers.
    people = [
        range(plan.clients - (number + 1) * plan.room_size, plan.clients - number * plan.room_size)
        for number in range(plan.rooms)
    ]
    await swarm.subscribe(list(zip(rooms, people, strict=True)), timeout_s=plan.patience_s)
    sent = 0

    async def act(numbers: range) -> None:
        said = [(each, stamp.payload(_SERIES, each, size_bytes=_BYTES)) for each in numbers]
        swarm.publish(
            [(stage.dice.choice(people[each % plan.rooms]), rooms[each % plan.rooms], text) for each, text in said]
        )

    async def speak() -> None:
        nonlocal sent
        sent = await at_rate(act, per_s=plan.talk_per_s, seconds=plan.talk_s)

    spent = await stage.spending(speak)
    wanted = sent * plan.room_size
    latencies = await swarm.heard(_SERIES, wanted, timeout_s=plan.patience_s)
    figures = [P50.figure(NAME, latencies.percentile_ms(0.5)), P99.figure(NAME, latencies.percentile_ms(0.99))]
    return [*figures, CPU.figure(NAME, stage.busy_us(spent, wanted))] if spent.server_s else figures


SCENARIO = Scenario(NAME, "talk in small rooms", run)
