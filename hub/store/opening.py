"""Which kind of deployment an address names."""

from __future__ import annotations

from hub.store.server import Server
from hub.store.single import SingleServer


def open_server(url: str) -> Server:
    """Return the server at `redis_url`. Nothing is connected before the first use. The caller closes it (`aclose`)."""
    return SingleServer(url)
