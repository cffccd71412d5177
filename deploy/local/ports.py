"""Free ports on loopback."""

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


def free_port() -> int:
    """Choose a port that nobody listens on. It is not reserved: use it soon.

    Raises:
        OSError: None was found, which means that the machine is out of ports.
    """
    for _ in range(_ATTEMPTS):
        port = random.randint(_FIRST, _LAST)
        if is_free(port):
            return port
    raise OSError(f"no free port between {_FIRST} and {_LAST} on 127.0.0.1")
