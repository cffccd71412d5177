"""redis-py's own clients, for what a test wants to know of Redis that the store has no words for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode

from hub.store.address import Deployment, redis_address


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Any]:
    """Yield a client of the deployment that `redis_url` names."""
    address = redis_address(url)
    match address.deployment:
        case Deployment.SERVER:
            async with Redis.from_url(url, protocol=2) as server:
                yield server
        case Deployment.CLUSTER:
            nodes = [ClusterNode(host, port) for host, port in address.hosts]
            async with RedisCluster(startup_nodes=nodes, protocol=2) as cluster:
                yield cluster
        case Deployment.SENTINEL:
            sentinel = Sentinel(address.hosts)  # type: ignore[no-untyped-call]
            async with sentinel.master_for(address.master) as master:
                yield master
