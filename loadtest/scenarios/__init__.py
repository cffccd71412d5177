"""The scenarios, each a module with its budget table. A new capability adds a module of its own, and its line here."""

from loadtest.scenarios import (
    broadcast,
    churn,
    connect,
    drain,
    idle,
    kill_worker,
    latest,
    orders,
    personal,
    storm,
    talk,
)

ALL = (
    connect.SCENARIO,
    idle.SCENARIO,
    orders.SCENARIO,
    broadcast.SCENARIO,
    personal.SCENARIO,
    latest.SCENARIO,
    talk.SCENARIO,
    kill_worker.SCENARIO,
    storm.SCENARIO,
    drain.SCENARIO,
    churn.SCENARIO,
)
"""In the order in which they run: connecting is first, and nobody is connected after churn."""
