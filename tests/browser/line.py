"""A network that fails when a test says so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Line:
    """A TCP line to the hub that tests can cut: what is open breaks, what is new is refused until it is mended."""

    def __init__(self, listener: socket.socket, hub_port: int) -> None:
        self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._listener = listener
        self._hub_port = hub_port
        self._sockets: set[socket.socket] = set()
        self._cut = threading.Event()

    @classmethod
    @contextmanager
    def to(cls, hub_port: int) -> Iterator[Line]:
        """Open a line on a free port of loopback."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            line = cls(listener, hub_port)
            accepting = threading.Thread(target=line._accept, daemon=True)
            accepting.start()
            yield line
            line.cut()
            listener.shutdown(socket.SHUT_RDWR)
        accepting.join()

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        self._cut.set()
        for end in [*self._sockets]:
            _break(end)

    def mend(self) -> None:
        """Let new connections through."""
        self._cut.clear()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # The listener was closed: the test is over.
            if self._cut.is_set():
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._hub_port))
            self._sockets |= {near, far}
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(data)
        except OSError:
            pass  # Cut, or the other side has gone: both ends are closed below.
        _break(target)
        _break(source)
        source.close()
        self._sockets.discard(source)


def _break(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
