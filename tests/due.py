"""When the delay queue has something to do next, looked up in its keys."""

from hub.domain.notifications import Lane
from hub.store.keys import Keys
from hub.store.round_trip import Command
from hub.store.server import Server


async def next_due_ms(server: Server, keys: Keys, lane: Lane, *, shards: int) -> int | None:
    """Return when the next job of a lane is due or its lease runs out, None where it has none."""
    sets = [keys.jobs(lane, number, part) for number in range(shards) for part in ("due", "leased")]
    reads: list[Command] = [("ZRANGE", name, 0, 0, "WITHSCORES") for name in sets]
    firsts = await server.exchange(reads)
    return min((int(first[1]) for first in firsts if first), default=None)
