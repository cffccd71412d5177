"""Free ports on loopback.

A port that was chosen is free until its service listens, and again while the service is down. So that nobody else
chooses it meanwhile, a process marks its choice for the whole machine, by a socket's name that is gone when it ends.
"""

import random
import socket

# Below the range that the kernel hands out to outgoing connections (32768 and up), so that a client socket of a load
# test cannot take the port between the choice and the start of the service.
_FIRST, _LAST = 20_000, 32_000
_ATTEMPTS = 100


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
        if all(is_free(each) and _mark(each) for each in {port, port + and_beyond}):
            return port
    raise OSError(f"no free port between {_FIRST} and {_LAST} on 127.0.0.1")


def _mark(port: int) -> bool:
    """Take the port's name in the abstract namespace (unix(7)), which needs no file; say whether it was free."""
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0doorbell port {port}")
    except OSError:
        mark.close()
        return False
    mark.detach()  # It stays open.
    return True
