"""The waits and limits of the consumers, in seconds. Tests shorten them; they are no matter of configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Defaults fit for production."""

    acknowledge_every_s: float = 0.25
    """How often the ledger is looked through."""
    watch_every_s: float = 5.0
    """How often the lag is measured, which is also how a silent broker is noticed."""
    look_for_topics_every_s: float = 30.0
    request_timeout_s: float = 5.0
    """For each question to a broker."""
    connect_timeout_s: float = 15.0
    stuck_after_s: float = 60.0
    """Lag without a record, or a broker that does not answer, for so long: start over with a new client."""
    hold_poll_every_s: float = 5.0
    """How often Kafka is polled, with its partitions paused, while a batch waits for Redis."""
    hold_limit_s: float = 600.0
    """How long RabbitMQ's messages are held while Redis is away; then they go back until it returns. Must be below
    the broker's `consumer_timeout`, 30 minutes."""
    drain_s: float = 20.0
    """How long a rebalance waits for the batch in hand. Must be below the group's rebalance timeout."""
    stop_s: float = 8.0
    """How long a stop waits for the batch in hand, and then again for it to be safe on disk."""
    backoff_first_s: float = 0.5
    backoff_max_s: float = 10.0
