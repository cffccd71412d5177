"""What a scenario works with: the swarm, the server, the sizes, and what earlier scenarios have found."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from loadtest.measure import Figure
from loadtest.plan import Plan
from loadtest.recorder import Recorder
from loadtest.stack import Cost
from loadtest.swarm import stamp
from loadtest.swarm.swarm import Swarm
from loadtest.target import SERVER, OwnTarget, Target


@dataclass(frozen=True, slots=True)
class Spent:
    """What the server's processes used over a time: CPU seconds by role, and of the processes that hold sockets."""

    took_s: float
    by_role: dict[str, float]

    @property
    def server_s(self) -> float:
        """CPU of what holds the connections."""
        return self.by_role.get(SERVER, 0.0)


@dataclass(slots=True)
class Stage:
    """Everything that a scenario may use."""

    swarm: Swarm
    target: Target
    plan: Plan
    recorder: Recorder
    dice: random.Random = field(default_factory=lambda: random.Random(4))
    idle_share: float = 0.0
    """CPU of the server while nothing happens, as a share of one core: pings."""
    broadcast_last_ms: float = 0.0
    """When the last client had a broadcast."""

    @property
    def own(self) -> OwnTarget:
        """The installation of our own. Only scenarios that say so may ask for it."""
        if not isinstance(self.target, OwnTarget):
            raise TypeError("this scenario needs an installation of its own")
        return self.target

    def resident_bytes(self) -> int:
        """Return the resident memory of the processes that hold the connections."""
        return sum(cost.resident_bytes for name, cost in self.target.costs().items() if _role(name) == SERVER)

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds used so far, by role."""
        return _by_role(self.target.costs())

    async def spending(self, work: Callable[[], Awaitable[object]]) -> Spent:
        """Do something; return what it cost the server, as far as its processes can be seen."""
        before, began_s = self.cpu(), time.monotonic()
        await work()
        after = self.cpu()
        by_role = {role: after[role] - before.get(role, 0.0) for role in after}
        return Spent(time.monotonic() - began_s, by_role)

    def busy_us(self, spent: Spent, count: int) -> float:
        """Return microseconds of the server's CPU for each of `count`, less what it would have used idle."""
        return max(0.0, spent.server_s - self.idle_share * spent.took_s) / max(1, count) * 1e6

    async def broadcast(self, series: str, number: int = 0) -> None:
        """Publish one message to everybody."""
        data = stamp.payload(series, number, size_bytes=self.plan.broadcast_bytes)
        await self.target.hub.publish([(self.target.announcements, data)])

    def personal(self, series: str, number: int) -> tuple[str, bytes]:
        """Return a message for one person, chosen at random."""
        user = self.swarm.setup.user.format(self.dice.randrange(self.plan.clients))
        return self.target.inbox.format(user), stamp.payload(series, number, size_bytes=self.plan.broadcast_bytes)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. `run` returns its figures; `own` says that it kills, drains or feeds what it measures."""

    name: str
    about: str
    run: Callable[[Stage], Awaitable[list[Figure]]]
    own: bool = False
    kafka: bool = False


def _role(process: str) -> str:
    """Return the role of a process: `serve-2.0` is the first child of the second `serve`."""
    return process.partition(".")[0].partition("-")[0]


def _by_role(costs: dict[str, Cost]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for name, cost in costs.items():
        totals[_role(name)] = totals.get(_role(name), 0.0) + cost.cpu_s
    return totals
