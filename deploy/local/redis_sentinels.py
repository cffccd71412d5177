"""A private Redis master with a replica, and three sentinels that watch them."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from deploy.local.errors import DidNotStartError
from deploy.local.programs import REDIS
from deploy.local.redis_server import RedisServer

MASTER = "doorbell"
"""The name by which the sentinels know the master."""
_QUORUM = 2
_READY_TIMEOUT_S = 30.0
_POLL_INTERVAL_S = 0.05


class RedisSentinel(RedisServer):
    """One sentinel: `redis-server --sentinel`. It writes what it learns into its configuration file."""

    name: ClassVar[str] = "sentinel"

    def __init__(self, folder: Path, *, master_port: int, down_after_ms: int) -> None:
        super().__init__(folder)
        self._master_port = master_port
        self._down_after_ms = down_after_ms

    def _prepare(self) -> None:
        file = self.folder / "sentinel.conf"
        if not file.exists():
            lines = [
                f"port {self.port}",
                "bind 127.0.0.1",
                f"dir {self.folder}",
                f"sentinel monitor {MASTER} 127.0.0.1 {self._master_port} {_QUORUM}",
                f"sentinel down-after-milliseconds {MASTER} {self._down_after_ms}",
                f"sentinel failover-timeout {MASTER} 5000",
            ]
            file.write_text("\n".join(lines) + "\n")

    def _command(self) -> Sequence[str]:
        return [REDIS.require(), str(self.folder / "sentinel.conf"), "--sentinel"]


class RedisSentinels:
    """Use it as `with`. Its methods block. A master that is silent for `down_after_ms` is replaced by the replica."""

    def __init__(self, folder: Path, *, down_after_ms: int = 1_500, min_replicas: int = 0) -> None:
        """Take `min_replicas`: a master without as many replicas in step refuses writes."""
        options = {"repl-diskless-sync-delay": "0", "min-replicas-to-write": str(min_replicas)}
        master = RedisServer(folder / "server-0", options=options)
        replica = RedisServer(folder / "server-1", options={**options, "replicaof": f"127.0.0.1 {master.port}"})
        self.servers = [master, replica]
        """The master first, as it was made."""
        self.sentinels = [
            RedisSentinel(folder / f"sentinel-{number}", master_port=master.port, down_after_ms=down_after_ms)
            for number in range(3)
        ]

    @property
    def url(self) -> str:
        """Where clients find it."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{MASTER}"

    def start(self) -> None:
        """Start everything; return when the sentinels know each other and the replica.

        Raises:
            MissingProgramError: redis-server is not installed.
            DidNotStartError: They did not find each other in time.
        """
        for server in (*self.servers, *self.sentinels):
            server.start()
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not all(map(self._knows_all, self.sentinels)):
            if time.monotonic() > deadline:
                raise DidNotStartError(name="redis sentinels", reason="they did not find each other", log_tail="")
            time.sleep(_POLL_INTERVAL_S)

    @property
    def master(self) -> RedisServer:
        """The server that leads, as the sentinels say."""
        for sentinel in self.sentinels:
            with suppress(OSError, RuntimeError):
                port = int(sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER).splitlines()[1])
                return next(server for server in self.servers if server.port == port)
        raise LookupError("no sentinel answers")

    def stop(self) -> None:
        """End everything that runs."""
        for server in (*self.sentinels, *self.servers):
            server.stop()

    def _knows_all(self, sentinel: RedisSentinel) -> bool:
        words = sentinel.ask("SENTINEL", "MASTER", MASTER).splitlines()
        state = dict(zip(words[::2], words[1::2], strict=True))
        others, replicas = state["num-other-sentinels"], state["num-slaves"]
        in_sync = "master_link_status:up" in self.servers[1].ask("INFO", "replication")
        return (others, replicas) == (str(len(self.sentinels) - 1), "1") and in_sync

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()
