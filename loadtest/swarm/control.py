"""What the swarm and its shards say to each other: one JSON object a line, over the shard's standard streams.

Ranges of members (`first`, `until`) count over the whole swarm; a shard acts on those of its own: member `n` belongs to
shard `n % shards`, so that any range is spread over all of them.
"""

from __future__ import annotations

import msgspec


class Setup(msgspec.Struct, frozen=True):
    """The first line: who the shard is, and where it connects to."""

    shard: int
    shards: int
    members: int
    """In the whole swarm."""
    addresses: tuple[tuple[str, int], ...]
    """Of the servers; members take turns."""
    secret: str
    path: str = "/connection/websocket"
    user: str = "user-{}"
    """What members are called, by their number."""
    channels: tuple[str, ...] = ()
    """A claim of the tokens: see `Mint`."""
    backoff_first_s: float = 0.5
    backoff_max_s: float = 20.0
    """Full-jitter backoff as in the SDKs."""
    connect_timeout_s: float = 10.0
    """From the first packet to the answer to `connect`."""
    report_s: float = 0.5


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Connect members, with `at_once` of each shard under way at a time."""

    first: int
    until: int
    at_once: int = 32


class Subscribe(msgspec.Struct, frozen=True, tag="subscribe"):
    """Subscribe members to one more topic each, now and after each reconnect."""

    topics: tuple[tuple[str, tuple[int, ...]], ...]


class Publish(msgspec.Struct, frozen=True, tag="publish"):
    """Have members publish: (member, topic, JSON text)."""

    messages: tuple[tuple[int, str, str], ...]


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """Lose the connections of members as a network does; they come back by themselves."""

    first: int
    until: int


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """Say goodbye and stay away."""

    first: int
    until: int


class Churn(msgspec.Struct, frozen=True, tag="churn"):
    """Have members of a range connect, leave at once and connect again, `cycles` times in the whole swarm."""

    first: int
    until: int
    cycles: int


Order = Open | Subscribe | Publish | Drop | Leave | Churn


class Report(msgspec.Struct, frozen=True):
    """What a shard has seen since its last report; `counts`, `errors`, `closes` and `cycles` since its start."""

    at_s: float
    """CLOCK_MONOTONIC, in seconds."""
    shard: int
    live: int
    """Members that are connected, and subscribed to all that they want."""
    away: int
    """Members that want to be and are not."""
    counts: dict[str, int]
    errors: dict[str, int]
    closes: dict[str, int]
    """Close codes that the server gave; 1006 where it gave none."""
    cycles: int = 0
    """Churn so far."""
    latencies: dict[str, dict[int, int]] = {}
    """Histogram buckets by series."""
    greatest_ns: dict[str, int] = {}
