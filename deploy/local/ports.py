"""Free ports on loopback.

A port that was chosen is free until its service listens, and again while the service is down. So that no other process
chooses it meanwhile, a choice is a lock on the byte of its number in a file of this user; it ends with the process.
"""

import fcntl
import functools
import os
import random
import socket
import tempfile
from pathlib import Path

# Below the range that the kernel hands out to outgoing connections (32768 and up), so that a client socket of a load
# test cannot take the port between the choice and the start of the service.
_FIRST, _LAST = 20_000, 32_000
_ATTEMPTS = 100
_chosen: set[int] = set()
"""By this process, for which its own locks are no obstacle."""


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(*, and_beyond: int = 0) -> int:
    """Choose a port that nobody listens on, for as long as this process lives; the one `and_beyond` it as well.

    Raises:
        OSError: None was found, which means that the machine is out of ports.
    """
    for _ in range(_ATTEMPTS):
        port = random.randint(_FIRST, _LAST - and_beyond)
        if all(is_free(each) and _choose(each) for each in {port, port + and_beyond}):
            return port
    raise OSError(f"no free port between {_FIRST} and {_LAST} on 127.0.0.1")


def _choose(port: int) -> bool:
    if port in _chosen:
        return False
    try:
        fcntl.lockf(_choices(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _chosen.add(port)
    return True


@functools.cache
def _choices() -> int:
    """Return the descriptor of the file; closing any other descriptor of it would end the locks."""
    return os.open(Path(tempfile.gettempdir()) / f"doorbell-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT, 0o600)
