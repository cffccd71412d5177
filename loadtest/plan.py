"""How large a run of the swarm is: one plan for a minute, one for 100,000 clients, one for the tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of all scenarios. Rates are per second, times in seconds."""

    name: str
    clients: int
    workers: int
    """Processes of `doorbell serve`."""
    steps: tuple[float, ...] = (0.1, 0.3, 1.0)
    """Shares of the clients that are connected before the costs are compared."""
    at_once: int = 192
    """Connects under way at a time while there is no storm."""
    idle_s: float = 10.0
    orders_per_s: int = 200
    orders_s: float = 10.0
    broadcasts: int = 5
    broadcast_bytes: int = 250
    rest_s: float = 1.0
    """Between two broadcasts."""
    personal_per_s: int = 100
    latest_topics: int = 100
    latest_per_s: int = 100
    latest_s: float = 5.0
    watchers: int = 5
    rooms: int = 40
    room_size: int = 5
    talk_per_s: int = 100
    talk_s: float = 5.0
    churn_cycles: int = 10_000
    churn_at_once: int = 200
    accepts_per_s: int = 5_000
    """What each worker lets in; beyond, clients are told to come again."""
    drain_s: float = 10.0
    """How long a worker takes to send its clients away."""
    patience_s: float = 60.0
    """How long any one thing may take before the run is given up."""
    limit_s: float = 300.0
    """How long the whole run may take."""

    def __post_init__(self) -> None:
        """Refuse sizes that do not go together."""
        needed = max(self.latest_topics * self.watchers, self.rooms * self.room_size, self.churn_at_once)
        if self.clients < needed:
            raise ValueError(f"{self.clients} clients are too few: this plan needs {needed}; write --clients {needed}")


QUICK = Plan(
    "quick",
    clients=200,
    workers=2,
    idle_s=0.5,
    orders_per_s=50,
    orders_s=1.0,
    broadcasts=2,
    rest_s=0.2,
    latest_topics=20,
    latest_per_s=50,
    latest_s=1.0,
    rooms=10,
    talk_per_s=50,
    talk_s=1.0,
    churn_cycles=400,
    churn_at_once=50,
    drain_s=1.0,
    patience_s=30.0,
)
SMALL = Plan("small", clients=2_000, workers=2, idle_s=5.0, orders_s=6.0, drain_s=4.0)
WHOLE = Plan(
    "whole",
    clients=100_000,
    # Six hold them with 20,000 descriptors each, and the seventh makes room for when one of them dies.
    workers=7,
    idle_s=60.0,
    orders_per_s=1_000,
    orders_s=30.0,
    rest_s=3.0,
    latest_topics=500,
    latest_per_s=500,
    latest_s=15.0,
    rooms=200,
    talk_per_s=200,
    talk_s=15.0,
    churn_cycles=200_000,
    churn_at_once=1_200,
    accepts_per_s=700,
    # More than 3,000 a second do not find their way back with driver and hub on two cores.
    drain_s=35.0,
    patience_s=120.0,
    limit_s=900.0,
)
PLANS = {plan.name: plan for plan in (QUICK, SMALL, WHOLE)}
