"""Real services for development and tests, without containers.

Each service is an ordinary process on loopback with a port, a data folder and a log of its own. A class starts, stops,
kills, pauses and restarts it and knows when it is really ready::

    with RedisServer(Path(".local/mine/redis")) as redis:
        print(redis.url)

From a shell: ``python -m deploy.local ensure | up | down | status``.
"""

from deploy.local.errors import DidNotStartError, LocalServiceError, MissingProgramError
from deploy.local.kafka_server import KafkaServer
from deploy.local.rabbit_server import RabbitServer
from deploy.local.redis_cluster import RedisCluster
from deploy.local.redis_sentinels import RedisSentinels
from deploy.local.redis_server import RedisServer
from deploy.local.service import LocalService

__all__ = [
    "DidNotStartError",
    "KafkaServer",
    "LocalService",
    "LocalServiceError",
    "MissingProgramError",
    "RabbitServer",
    "RedisCluster",
    "RedisSentinels",
    "RedisServer",
]
