"""What one server of a Redis Cluster says about the cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hub.store.round_trip import Command
from hub.store.routes import NOBODY, SLOTS, Routes

LOOK: tuple[Command, ...] = (("CLUSTER", "SLOTS"), ("CLUSTER", "INFO"))
"""What to ask for a view."""
LIFE: tuple[Command, ...] = (("INFO", "server"), ("INFO", "replication"), ("CLUSTER", "INFO"))
"""What to ask a master for its life."""

UrlOf = Callable[[str, int], str]


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Who has which slot, as of an epoch: each failover and each migration makes a newer one."""

    epoch: int
    routes: Routes

    @property
    def covered(self) -> int:
        """How many slots have an owner."""
        owners = self.routes.owners or ()
        return len(owners) - owners.count(NOBODY)


@dataclass(frozen=True, slots=True)
class MasterLife:
    """One run of a master, and the epoch that it knows of."""

    run_id: str
    is_master: bool
    epoch: int


def view_of(replies: Sequence[Any], *, asked: str, url_of: UrlOf) -> ClusterView:
    """Read the replies to LOOK. `asked` is the host that gave them: it may leave its own name out."""
    slots, info = replies
    owners = [NOBODY] * SLOTS
    urls: dict[str, int] = {}
    for first, last, master, *_ in slots:
        host, port = master[0].decode() if master[0] else "", int(master[1])
        # Redis 7 says "?" where it has been told to tell names and does not know this one.
        index = urls.setdefault(url_of(asked if host in {"", "?"} else host, port), len(urls))
        owners[first : last + 1] = [index] * (last + 1 - first)
    return ClusterView(int(fields(info)["cluster_current_epoch"]), Routes(tuple(urls), tuple(owners)))


def life_of(replies: Sequence[Any]) -> MasterLife:
    """Read the replies to LIFE."""
    server, replication, cluster = (fields(reply) for reply in replies)
    return MasterLife(server["run_id"], replication["role"] == "master", int(cluster["cluster_current_epoch"]))


def fields(info: bytes) -> dict[str, str]:
    """Return the lines `name:value` of an INFO reply."""
    pairs = (line.partition(":") for line in info.decode().splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in pairs}
