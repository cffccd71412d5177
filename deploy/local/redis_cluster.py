"""A private Redis Cluster, each of its servers a process of its own."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.errors import DidNotStartError
from deploy.local.ports import free_port
from deploy.local.redis_server import RedisServer

SLOTS = 16_384
BUS_OFFSET = 10_000
"""The servers of a cluster talk to each other on their port and this."""
_READY_TIMEOUT_S = 30.0
_POLL_INTERVAL_S = 0.05


class RedisCluster:
    """Some masters with an equal share of the slots, and for each `replicas`. Its methods block.

    A server that is silent for `node_timeout_ms` counts as failed; a replica of it then takes over.
    """

    def __init__(
        self,
        folder: Path,
        *,
        masters: int = 3,
        replicas: int = 0,
        node_timeout_ms: int = 1_500,
        binary: str | None = None,
    ) -> None:
        options = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": str(node_timeout_ms),
            "cluster-require-full-coverage": "no",
            # A replica whose link was cut a moment ago may take over as well.
            "cluster-replica-validity-factor": "0",
        }
        self._masters = masters
        self.servers = [
            RedisServer(
                folder / f"node-{number}", port=free_port(and_beyond=BUS_OFFSET), options=options, binary=binary
            )
            for number in range(masters * (1 + replicas))
        ]
        """The masters first, as it was made; each replica `masters` places behind its master."""

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis+cluster://{','.join(f'127.0.0.1:{server.port}' for server in self.servers[: self._masters])}"

    def start(self) -> None:
        """Start all servers and make a cluster of them; return when all agree about it.

        Raises:
            MissingProgramError: redis-server is not installed.
            DidNotStartError: They did not agree in time.
        """
        self._start_servers()
        masters, replicas = self.servers[: self._masters], self.servers[self._masters :]
        for number, server in enumerate(self.servers):
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        for number, server in enumerate(masters):
            first, end = SLOTS * number // len(masters), SLOTS * (number + 1) // len(masters)
            server.ask("CLUSTER", "ADDSLOTS", *map(str, range(first, end)))
        for server in self.servers[1:]:
            server.ask("CLUSTER", "MEET", "127.0.0.1", str(self.servers[0].port))
        self._wait(self._all_know_all, "its servers did not meet")
        for number, server in enumerate(replicas):
            server.ask("CLUSTER", "REPLICATE", masters[number % len(masters)].ask("CLUSTER", "MYID"))
        self._wait(self._is_whole, "it did not become whole")

    def stop(self) -> None:
        """End all servers that run."""
        with ThreadPoolExecutor(len(self.servers)) as threads:
            list(threads.map(lambda server: server.stop(), self.servers))

    def master_of(self, slot: int) -> RedisServer:
        """Return the server that has a slot now, as most others see it."""
        seen = [owner for server in self.servers if (owner := self._owner_seen_by(server, slot)) is not None]
        port = max(seen, key=seen.count)
        return next(server for server in self.servers if server.port == port)

    def _owner_seen_by(self, server: RedisServer, slot: int) -> int | None:
        with suppress(OSError, RuntimeError):
            for line in server.ask("CLUSTER", "NODES").splitlines():
                words = line.split(" ")
                ranges = [word.partition("-") for word in words[8:] if not word.startswith("[")]
                if "fail" not in words[2].split(",") and any(
                    int(first) <= slot <= int(last or first) for first, _, last in ranges
                ):
                    return int(words[1].partition("@")[0].rpartition(":")[2])
        return None

    def _start_servers(self) -> None:
        with ThreadPoolExecutor(len(self.servers)) as threads:
            starts = [threads.submit(server.start) for server in self.servers]
        for start in starts:
            start.result()

    def _all_know_all(self) -> bool:
        known = [_info(server).get("cluster_known_nodes") for server in self.servers]
        return known == [str(len(self.servers))] * len(self.servers)

    def _is_whole(self) -> bool:
        infos = [_info(server) for server in self.servers]
        agreed = len({info["cluster_current_epoch"] for info in infos}) == 1
        covered = all(info["cluster_state"] == "ok" and info["cluster_slots_ok"] == str(SLOTS) for info in infos)
        return agreed and covered and all(map(self._in_sync, self.servers[self._masters :]))

    @staticmethod
    def _in_sync(replica: RedisServer) -> bool:
        return "master_link_status:up" in replica.ask("INFO", "replication")

    def _wait(self, condition: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not condition():
            if time.monotonic() > deadline:
                raise DidNotStartError(name="redis cluster", reason=complaint, log_tail="")
            time.sleep(_POLL_INTERVAL_S)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def _info(server: RedisServer) -> dict[str, str]:
    pairs: Sequence[str] = server.ask("CLUSTER", "INFO").splitlines()
    return {name: value for name, _, value in (pair.partition(":") for pair in pairs)}
