"""Which kind of deployment an address names."""

from __future__ import annotations

from typing import assert_never

from hub.store.address import Deployment, redis_address
from hub.store.cluster import ClusterServer
from hub.store.sentinel import SentinelServer
from hub.store.server import Server
from hub.store.single import SingleServer


def open_server(url: str) -> Server:
    """Return the server at `redis_url`. Nothing is connected before the first use. The caller closes it (`aclose`)."""
    address = redis_address(url)
    match address.deployment:
        case Deployment.SERVER:
            return SingleServer(url)
        case Deployment.CLUSTER:
            return ClusterServer(address)
        case Deployment.SENTINEL:
            return SentinelServer(address)
        case _:
            assert_never(address.deployment)
