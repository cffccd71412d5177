"""Who stands before the door: connections that the kernel has made and the worker has not accepted yet.

A worker accepts one of them in each round of its loop. One that gets too little of the machine may be on time in every
round and still have a queue of a minute before its door, and only the kernel knows how long that is.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import Protocol

_TCP_INFO = getattr(socket, "TCP_INFO", None)
"""Linux only. Elsewhere the queue counts as empty."""
_UNACKED_AT = 24
"""Where `struct tcp_info` has `tcpi_unacked`: of a socket that listens, the length of its queue (tcp_get_info)."""
_INFO_BYTES = _UNACKED_AT + 4


class Listening(Protocol):
    """A listening socket, as far as it matters here."""

    @property
    def family(self) -> int:
        """Its address family."""
        ...

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """Return the value of an option."""
        ...


class Threshold:
    """The listening sockets of a worker. Unix sockets have no queue that could be looked at."""

    def __init__(self, sockets: Sequence[Listening] = ()) -> None:
        self._sockets = [each for each in sockets if each.family in {socket.AF_INET, socket.AF_INET6}]

    def queued(self) -> int:
        """Return how many connections wait to be accepted."""
        if _TCP_INFO is None:
            return 0
        return sum(_queued(each.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _INFO_BYTES)) for each in self._sockets)


def _queued(info: bytes) -> int:
    return int(struct.unpack_from("I", info, _UNACKED_AT)[0]) if len(info) >= _INFO_BYTES else 0
