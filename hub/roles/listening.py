"""The public port: how several workers share it, and what to say where it cannot be had."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from hub.config_checks import parse_address
from hub.domain.errors import ConfigurationError, Mistake


@contextmanager
def reserved_port(listen: str) -> Iterator[str]:
    """Hold a port that workers listen on (SO_REUSEPORT), without listening; yield its address, port 0 made a free one.

    Raises ConfigurationError where it cannot be had.
    """
    host, port = parse_address(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            holder.bind((host, port))
        except OSError as error:
            raise cannot_listen(listen, error) from error
        bound = holder.getsockname()[1]
        yield f"[{host}]:{bound}" if family == socket.AF_INET6 else f"{host}:{bound}"


def cannot_listen(listen: str, error: OSError, *, key: str = "listen") -> ConfigurationError:
    """Return the error for an address that cannot be listened on; `key` is the setting that it comes from."""
    advice = f"cannot be listened on ({error.strerror or error}); write another host:port, or port 0 for any"
    return ConfigurationError([Mistake("settings", key, listen, advice)])
