"""How long the delay queue is, for who looks at it: the queue itself is `hub.store.jobs`."""

from __future__ import annotations

import msgspec

from hub.domain.notifications import Lane
from hub.store.connection import read_pipelined
from hub.store.keys import Keys
from hub.store.round_trip import Command
from hub.store.server import Server

_READS = 4


class LaneView(msgspec.Struct, frozen=True):
    """One lane: jobs that wait for their time, that are due and wait for a worker, and that a worker has in hand."""

    lane: Lane
    waiting: int
    due: int
    in_hand: int
    oldest_due_ms: int | None
    """When the job that has waited longest for a worker was due, None: no job is."""


class QueueView:
    """Reads the sizes of the queue. Raises StoreUnavailable."""

    def __init__(self, server: Server, keys: Keys, *, shards: int) -> None:
        self._server = server
        self._keys = keys
        self._shards = shards

    async def lanes(self, now_ms: int) -> tuple[LaneView, ...]:
        """Return all lanes, the most urgent first."""
        places = [(lane, number) for lane in Lane for number in range(self._shards)]
        reads = [command for place in places for command in self._reads(*place, now_ms)]
        replies = await read_pipelined(self._server, reads, what="queue view")
        found = {lane: LaneView(lane, 0, 0, 0, None) for lane in Lane}
        for index, (lane, _) in enumerate(places):
            waiting, due, in_hand, first = replies[index * _READS : (index + 1) * _READS]
            found[lane] = _added(found[lane], LaneView(lane, waiting, due, in_hand, int(first[1]) if due else None))
        return tuple(found.values())

    def _reads(self, lane: Lane, shard: int, now_ms: int) -> tuple[Command, ...]:
        due, leased = self._keys.jobs(lane, shard, "due"), self._keys.jobs(lane, shard, "leased")
        return (
            ("ZCOUNT", due, f"({now_ms}", "+inf"),
            ("ZCOUNT", due, "-inf", now_ms),
            ("ZCARD", leased),
            ("ZRANGE", due, 0, 0, "WITHSCORES"),
        )


def _added(one: LaneView, other: LaneView) -> LaneView:
    moments = [view.oldest_due_ms for view in (one, other) if view.oldest_due_ms is not None]
    return LaneView(
        one.lane,
        one.waiting + other.waiting,
        one.due + other.due,
        one.in_hand + other.in_hand,
        min(moments, default=None),
    )
