"""Topics of the latest value with a few watchers each, as the positions of couriers are."""

from __future__ import annotations

from loadtest.measure import Figure, Measure
from loadtest.pace import at_rate
from loadtest.stage import Scenario, Stage
from loadtest.swarm import stamp

NAME = "latest"
P50 = Measure("update to watcher, p50", "ms")
P99 = Measure("update to watcher, p99", "ms", must=50)
CPU = Measure("server CPU per delivery of an update", "µs")
_SERIES = "latest"
_BYTES = 120
"""About what a position with time, speed and heading takes."""


async def run(stage: Stage) -> list[Figure]:
    """Update values in turn; every watcher gets each, or the next one instead."""
    plan, swarm = stage.plan, stage.swarm
    topics = [f"courier:{number}" for number in range(plan.latest_topics)]
    watching = [
        (topic, range(number * plan.watchers, (number + 1) * plan.watchers)) for number, topic in enumerate(topics)
    ]
    await swarm.subscribe(watching, timeout_s=plan.patience_s)
    skipped = swarm.tally.skipped
    sent = 0

    async def act(numbers: range) -> None:
        await stage.target.api.publish(
            [(topics[each % len(topics)], stamp.payload(_SERIES, each, size_bytes=_BYTES)) for each in numbers]
        )

    async def update() -> None:
        nonlocal sent
        sent = await at_rate(act, per_s=plan.latest_per_s, seconds=plan.latest_s)

    spent = await stage.spending(update)

    def arrived() -> int:
        return swarm.series(_SERIES).count + swarm.tally.skipped - skipped

    wanted = sent * plan.watchers
    await swarm.until(lambda: arrived() >= wanted, timeout_s=plan.patience_s, what=f"see {wanted:,} updates")
    latencies = swarm.series(_SERIES)
    figures = [P50.figure(NAME, latencies.percentile_ms(0.5)), P99.figure(NAME, latencies.percentile_ms(0.99))]
    return [*figures, CPU.figure(NAME, stage.busy_us(spent, wanted))] if spent.server_s else figures


SCENARIO = Scenario(NAME, "latest values with five watchers each", run)
